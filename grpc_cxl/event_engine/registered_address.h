// SPDX-License-Identifier: Apache-2.0
#ifndef GRPC_CXL_EVENT_ENGINE_REGISTERED_ADDRESS_H_
#define GRPC_CXL_EVENT_ENGINE_REGISTERED_ADDRESS_H_

#include <memory>

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"
#include "grpc_cxl/event_engine/acceptor.h"
#include "grpc_cxl/event_engine/acceptor_registry.h"

namespace grpc_cxl::internal {

// A network address of a server, registered in the rendezvous directory for the clients of this
// host. When that cannot be done, as when another server shares the address (SO_REUSEPORT) and has
// registered it, and not both are replicas (ServerOptions::replicas), says so in the log and tries
// again every second; meanwhile all clients come over the network.
//
// Thread-safe; owned by a shared_ptr.
class RegisteredAddress final : public std::enable_shared_from_this<RegisteredAddress> {
 public:
  using EventEngine = Acceptor::EventEngine;

  // Tries at once, after it has removed what killed servers have left.
  static std::shared_ptr<RegisteredAddress> Register(std::shared_ptr<EventEngine> executor,
                                                     Watchdog* watchdog, const CxlAddress& address,
                                                     const ServerLimits& limits);

  bool may_have_direct_calls() const { return may_have_direct_calls_; }

  // As the functions of Acceptor.
  void Start(Acceptor::EndpointCallback on_endpoint);
  void Stop();

  // Without an acceptor there will be none: the server is about to stop.
  void TryNoMore();

  // Has `handler` run direct calls as soon as the address has an acceptor; null: nobody.
  void EnableDirectCallsLater(std::shared_ptr<CallHandler> handler);
  bool IsRegistered();
  const ServiceName& name() const { return address_.name; }
  const ServerLimits& limits() const { return limits_; }

 private:
  RegisteredAddress(std::shared_ptr<EventEngine> executor, Watchdog* watchdog,
                    const CxlAddress& address, const ServerLimits& limits,
                    bool may_have_direct_calls);
  void Try();

  const std::shared_ptr<EventEngine> executor_;
  Watchdog* const watchdog_;
  const CxlAddress address_;
  const ServerLimits limits_;
  const bool may_have_direct_calls_;
  std::shared_ptr<ServerCapacity> capacity_;  // set once, by Register()

  absl::Mutex mu_;
  bool stopped_ ABSL_GUARDED_BY(mu_) = false;
  Acceptor::EndpointCallback on_endpoint_ ABSL_GUARDED_BY(mu_);
  std::shared_ptr<Acceptor> acceptor_ ABSL_GUARDED_BY(mu_);    // null: not registered
  std::shared_ptr<CallHandler> handler_ ABSL_GUARDED_BY(mu_);  // for a later acceptor, or null
  int failures_ ABSL_GUARDED_BY(mu_) = 0;
};

}  // namespace grpc_cxl::internal

#endif  // GRPC_CXL_EVENT_ENGINE_REGISTERED_ADDRESS_H_
