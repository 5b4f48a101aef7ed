// SPDX-License-Identifier: Apache-2.0
#ifndef GRPC_CXL_TEST_SUPPORT_LEFT_IN_H_
#define GRPC_CXL_TEST_SUPPORT_LEFT_IN_H_

#include <fcntl.h>

#include <string>
#include <vector>

#include "grpc_cxl/base/unique_fd.h"
#include "grpc_cxl/status/status_file.h"
#include "test/support/temporary_directory.h"

namespace grpc_cxl::internal {

// The content of a rendezvous directory, but for the status pages of living processes. Those of
// the dead are removed as every process does it.
inline std::vector<std::string> LeftIn(const TemporaryDirectory& place) {
  const UniqueFd directory(open(place.path().c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  std::vector<std::string> left = place.List();
  std::erase_if(left, [&](const std::string& file) {
    if (!IsStatusFile(file)) return false;
    const auto found = ReadStatusFile(directory.get(), file);
    return (found.ok() && found->alive) || RemoveDeadStatusFile(directory.get(), file);
  });
  return left;
}

}  // namespace grpc_cxl::internal

#endif  // GRPC_CXL_TEST_SUPPORT_LEFT_IN_H_
