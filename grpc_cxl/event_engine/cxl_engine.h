// SPDX-License-Identifier: Apache-2.0
#ifndef GRPC_CXL_EVENT_ENGINE_CXL_ENGINE_H_
#define GRPC_CXL_EVENT_ENGINE_CXL_ENGINE_H_

#include <grpc/event_engine/event_engine.h>

#include <map>
#include <memory>
#include <optional>

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"
#include "grpc_cxl/event_engine/settings.h"
#include "grpc_cxl/polling/watchdog.h"

namespace grpc_cxl::internal {

// A decorator: serves names, connections and listeners of `cxl:` itself, and connections to network
// addresses that a server of this host has registered, and passes everything else to `inner`.
// Closures that gRPC runs from one of our polling threads stay there (run-to-completion), as long
// as they are short, and those of a thread with a CallersQueue.
//
// Hides the extensions of `inner` (QueryExtension answers null): with them, gRPC makes listeners
// without CreateListener(). So this engine belongs only to channels and servers with `cxl:` names;
// the process's default is DefaultEngine.
class CxlEngine : public grpc_event_engine::experimental::EventEngine {
 public:
  // With so many polling threads; 0: as many as suit the process's cores.
  explicit CxlEngine(std::shared_ptr<grpc_event_engine::experimental::EventEngine> inner,
                     int polling_threads = 0);

  // The same for channels with these settings: their `cxl:` names have an address for each replica.
  std::shared_ptr<EventEngine> OfSettings(int number);

  // What runs its closures elsewhere, and its polling threads.
  const std::shared_ptr<EventEngine>& executor() const { return inner_; }
  Watchdog* watchdog() const { return watchdog_; }

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

 protected:
  // With the threads of `other`.
  CxlEngine(const CxlEngine& other)
      : EventEngine(), inner_(other.inner_), watchdog_(other.watchdog_) {}

  const std::shared_ptr<grpc_event_engine::experimental::EventEngine>& inner() const {
    return inner_;
  }

 private:
  CxlEngine(const CxlEngine& other, int settings) : CxlEngine(other) { settings_ = settings; }

  // By the WayBack with this number, for a channel with these settings.
  ConnectionHandle ConnectBack(int way_back, int number, const ChannelSettings& settings,
                               bool direct, OnConnectCallback on_connect, Duration timeout);

  const std::shared_ptr<grpc_event_engine::experimental::EventEngine> inner_;
  Watchdog* const watchdog_;  // lives as long as the process
  std::optional<int> settings_;

  absl::Mutex mu_;
  // Equal channels share their connections only if they have the same engine.
  std::map<int, std::shared_ptr<CxlEngine>> of_settings_ ABSL_GUARDED_BY(mu_);
};

}  // namespace grpc_cxl::internal

#endif  // GRPC_CXL_EVENT_ENGINE_CXL_ENGINE_H_
