// SPDX-License-Identifier: Apache-2.0
#ifndef GRPC_CXL_DIRECT_CALL_ROUTES_H_
#define GRPC_CXL_DIRECT_CALL_ROUTES_H_

#include <memory>
#include <string>

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"
#include "grpc_cxl/calls/client_calls.h"
#include "grpc_cxl/link/link_owner.h"
#include "grpc_cxl/payload/call_blocks.h"

namespace grpc_cxl::internal {

// A connection for direct calls.
struct CallRoute {
  // Keeps the connection's memory mapped. UserIdle() must follow each call.
  std::shared_ptr<LinkOwner> owner;
  ClientCalls* calls = nullptr;
  CallBlocks blocks;
};

// Where the direct calls of a channel find their connection: channels to one name with
// equal settings share it, as gRPC lets them share the connection itself. Thread-safe.
class CallRoutes {
 public:
  // The one for this name and number of ChannelSettings (see SettingsRegistry).
  static std::shared_ptr<CallRoutes> For(const std::string& name, int settings);

  // The newest connection that takes calls; null when there is none.
  std::shared_ptr<const CallRoute> Current() const;
  void Add(std::shared_ptr<const CallRoute> route);
  void Remove(const ClientCalls* calls);

 private:
  mutable absl::Mutex mu_;
  std::shared_ptr<const CallRoute> current_ ABSL_GUARDED_BY(mu_);
};

}  // namespace grpc_cxl::internal

#endif  // GRPC_CXL_DIRECT_CALL_ROUTES_H_
