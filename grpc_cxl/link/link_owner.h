// SPDX-License-Identifier: Apache-2.0
#ifndef GRPC_CXL_LINK_LINK_OWNER_H_
#define GRPC_CXL_LINK_LINK_OWNER_H_

#include "absl/status/status.h"

namespace grpc_cxl::internal {

// Owns a link and its LinkUser, and ends both: the endpoint. Thread-safe.
class LinkOwner {
 public:
  virtual ~LinkOwner() = default;

  // The user may have become idle (LinkUser::Busy()): a stream that was shut down ends then.
  virtual void UserIdle() = 0;

  // The connection is of no more use: the stream fails with `reason`, the user hears Ended().
  // The first reason counts.
  virtual void End(absl::Status reason) = 0;
};

}  // namespace grpc_cxl::internal

#endif  // GRPC_CXL_LINK_LINK_OWNER_H_
