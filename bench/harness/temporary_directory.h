// SPDX-License-Identifier: Apache-2.0
#ifndef GRPC_CXL_BENCH_HARNESS_TEMPORARY_DIRECTORY_H_
#define GRPC_CXL_BENCH_HARNESS_TEMPORARY_DIRECTORY_H_

#include <string>

#include "absl/status/statusor.h"

namespace grpc_cxl::bench {

// A new directory below $TMPDIR or /tmp; the destructor removes it with its contents. Move-only.
class TemporaryDirectory {
 public:
  static absl::StatusOr<TemporaryDirectory> Create();

  TemporaryDirectory(TemporaryDirectory&& other) noexcept;
  TemporaryDirectory& operator=(TemporaryDirectory&&) = delete;
  ~TemporaryDirectory();

  const std::string& path() const { return path_; }

 private:
  explicit TemporaryDirectory(std::string path) : path_(std::move(path)) {}

  std::string path_;  // empty after a move
};

}  // namespace grpc_cxl::bench

#endif  // GRPC_CXL_BENCH_HARNESS_TEMPORARY_DIRECTORY_H_
