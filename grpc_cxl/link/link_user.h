// SPDX-License-Identifier: Apache-2.0
#ifndef GRPC_CXL_LINK_LINK_USER_H_
#define GRPC_CXL_LINK_LINK_USER_H_

#include <cstdint>
#include <memory>

#include "absl/status/status.h"
#include "grpc_cxl/link/link_owner.h"
#include "grpc_cxl/status/status_layout.h"

namespace grpc_cxl::internal {

// The second user of an endpoint's link, beside gRPC's byte stream: one side of its direct calls.
// Ready() and Run() are called as those of a Pollable; the others from any thread.
class LinkUser {
 public:
  virtual ~LinkUser() = default;

  // The connection begins. Once, before all other calls; `owner` owns this object.
  virtual void Start(std::weak_ptr<LinkOwner> owner) = 0;

  virtual bool Ready() const = 0;
  // An error ends the connection.
  virtual absl::Status Run() = 0;

  // Begins no further calls; running calls go on.
  virtual void Retire() = 0;
  // The connection has ended. Called at least once, maybe again.
  virtual void Ended() = 0;
  // Counts what this user does, and gives memory back that it does not need at rest.
  virtual uint64_t activity() const { return 0; }
  virtual void Rest() {}
  // Whether Rest() may have something to give.
  virtual bool MayRest() const { return false; }

  // Sets what this user knows.
  virtual void FillStatus(StatusConnection*) const {}

  // Whether something is under way. LinkOwner::UserIdle() follows when that ends.
  virtual bool Busy() const = 0;
};

}  // namespace grpc_cxl::internal

#endif  // GRPC_CXL_LINK_LINK_USER_H_
