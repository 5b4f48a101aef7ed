// SPDX-License-Identifier: Apache-2.0
#ifndef GRPC_CXL_TEST_COHERENCE_NAMED_FILE_H_
#define GRPC_CXL_TEST_COHERENCE_NAMED_FILE_H_

#include <cstdint>
#include <optional>
#include <utility>

#include "grpc_cxl/base/unique_fd.h"

namespace grpc_cxl::internal {

// A file with a name that is mapped somewhere.
struct NamedFile {
  UniqueFd fd;
  std::pair<uint64_t, uint64_t> identity;  // device and inode
  uint64_t bytes = 0;
  uint64_t offset = 0;  // of what is mapped at the address that was asked for
};

// The file that is mapped at `address`; nothing when that has no name (any more).
std::optional<NamedFile> NamedFileAt(const void* address);

}  // namespace grpc_cxl::internal

#endif  // GRPC_CXL_TEST_COHERENCE_NAMED_FILE_H_
