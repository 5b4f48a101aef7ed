// SPDX-License-Identifier: Apache-2.0
#ifndef GRPC_CXL_TEST_RENDEZVOUS_AT_H_
#define GRPC_CXL_TEST_RENDEZVOUS_AT_H_

#include <string>
#include <utility>

#include "absl/log/check.h"
#include "absl/status/statusor.h"
#include "grpc_cxl/rendezvous/rendezvous_directory.h"

namespace grpc_cxl::internal {

// The rendezvous directory at `path`, which has to be one.
inline RendezvousDirectory At(const std::string& path) {
  absl::StatusOr<RendezvousDirectory> directory = RendezvousDirectory::Open({.configured = path});
  CHECK_OK(directory);
  return *std::move(directory);
}

}  // namespace grpc_cxl::internal

#endif  // GRPC_CXL_TEST_RENDEZVOUS_AT_H_
