// SPDX-License-Identifier: Apache-2.0
#ifndef GRPC_CXL_EVENT_ENGINE_CXL_ENGINE_H_
#define GRPC_CXL_EVENT_ENGINE_CXL_ENGINE_H_

#include <grpc/event_engine/event_engine.h>

#include <memory>

#include "grpc_cxl/polling/watchdog.h"

namespace grpc_cxl::internal {

// A decorator: names, connections and listeners of `cxl:` are its own, all else is done by
// `inner`. Closures that gRPC runs from one of our polling threads stay there
// (run-to-completion), as long as they are short.
//
// Extensions of `inner` are hidden on purpose (QueryExtension answers null): gRPC would use
// them to go past CreateListener().
class CxlEngine final : public grpc_event_engine::experimental::EventEngine {
 public:
  explicit CxlEngine(std::shared_ptr<grpc_event_engine::experimental::EventEngine> inner);

  absl::StatusOr<std::unique_ptr<Listener>> CreateListener(
      Listener::AcceptCallback on_accept, absl::AnyInvocable<void(absl::Status)> on_shutdown,
      const grpc_event_engine::experimental::EndpointConfig& config,
      std::unique_ptr<grpc_event_engine::experimental::MemoryAllocatorFactory> allocators) override;
  ConnectionHandle Connect(OnConnectCallback on_connect, const ResolvedAddress& address,
                           const grpc_event_engine::experimental::EndpointConfig& config,
                           grpc_event_engine::experimental::MemoryAllocator allocator,
                           Duration timeout) override;
  bool CancelConnect(ConnectionHandle handle) override;
  bool IsWorkerThread() override;
  absl::StatusOr<std::unique_ptr<DNSResolver>> GetDNSResolver(
      const DNSResolver::ResolverOptions& options) override;
  void Run(Closure* closure) override;
  void Run(absl::AnyInvocable<void()> closure) override;
  TaskHandle RunAfter(Duration delay, Closure* closure) override;
  TaskHandle RunAfter(Duration delay, absl::AnyInvocable<void()> closure) override;
  bool Cancel(TaskHandle handle) override;

 private:
  const std::shared_ptr<grpc_event_engine::experimental::EventEngine> inner_;
  Watchdog* const watchdog_;  // lives as long as the process
};

}  // namespace grpc_cxl::internal

#endif  // GRPC_CXL_EVENT_ENGINE_CXL_ENGINE_H_
