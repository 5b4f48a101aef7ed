// SPDX-License-Identifier: Apache-2.0
#ifndef GRPC_CXL_TEST_COHERENCE_CALL_PATH_H_
#define GRPC_CXL_TEST_COHERENCE_CALL_PATH_H_

#include <array>
#include <cstdint>
#include <map>
#include <string>

namespace grpc_cxl::internal {

// The functions of this program that make call paths; see checked_sites.h. Thread-safe.
class PathFunctions {
 public:
  // Return addresses in the program, innermost first; 0 where there are no more.
  using Path = std::array<uint64_t, 4>;

  // "": there are none, and all paths are empty.
  explicit PathFunctions(const std::string& file);

  // How the caller was called.
  Path PathHere() const;

  // "@1f4a0,20c33"; "" without a path.
  static std::string NameOf(const Path& path);

 private:
  std::map<uint64_t, char> signs_;  // by the functions' first addresses
  uint64_t base_ = 0;               // where the program is loaded
};

}  // namespace grpc_cxl::internal

#endif  // GRPC_CXL_TEST_COHERENCE_CALL_PATH_H_
