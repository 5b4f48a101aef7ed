// SPDX-License-Identifier: Apache-2.0
#include "grpc_cxl/client_context.h"

#include <grpc/event_engine/event_engine.h>

#include <chrono>
#include <string>
#include <utility>

#include "absl/base/no_destructor.h"
#include "absl/base/thread_annotations.h"
#include "absl/strings/match.h"
#include "absl/strings/string_view.h"
#include "absl/synchronization/mutex.h"

namespace grpc_cxl {
namespace {

using grpc_event_engine::experimental::EventEngine;

constexpr auto kInterval = std::chrono::milliseconds(5);

bool IsTraceKey(absl::string_view key) {
  for (const absl::string_view known :
       {"grpc-trace-bin", "traceparent", "tracestate", "baggage", "b3"}) {
    if (key == known) return true;
  }
  return absl::StartsWith(key, "x-b3-");
}

// A synchronous handler's context looks into its call's completion queue, which takes a handful of
// threads at a time, the handler among them: one of ours at most.
bool IsCancelled(const grpc::ServerContextBase& context) {
  static absl::NoDestructor<absl::Mutex> one_at_a_time;
  absl::MutexLock lock(*one_at_a_time);
  return context.IsCancelled();
}

// Cancels a client's call when a server's call is cancelled. gRPC tells only the handler itself,
// so this looks, until Stop(). Its timers own it.
class CancellationWatch : public std::enable_shared_from_this<CancellationWatch> {
 public:
  CancellationWatch(const grpc::ServerContextBase* server, grpc::ClientContext* client)
      : engine_(grpc_event_engine::experimental::GetDefaultEventEngine()),
        server_(server),
        client_(client) {}

  void Rest() {
    engine_->RunAfter(kInterval, [self = shared_from_this()] { self->Look(); });
  }

  // Both contexts may go when this returns.
  void Stop() {
    absl::MutexLock lock(mu_);
    stopped_ = true;
  }

 private:
  void Look() {
    {
      absl::MutexLock lock(mu_);
      if (stopped_) return;
      if (IsCancelled(*server_)) return client_->TryCancel();
    }
    Rest();
  }

  const std::shared_ptr<EventEngine> engine_;
  absl::Mutex mu_;
  const grpc::ServerContextBase* const server_;
  grpc::ClientContext* const client_;
  bool stopped_ ABSL_GUARDED_BY(mu_) = false;
};

struct WatchedContext {
  explicit WatchedContext(const grpc::ServerContextBase& server)
      : watch(std::make_shared<CancellationWatch>(&server, &context)) {
    context.set_deadline(server.raw_deadline());
    for (const auto& [key, value] : server.client_metadata()) {
      if (!IsTraceKey(absl::string_view(key.data(), key.size()))) continue;
      context.AddMetadata(std::string(key.data(), key.size()),
                          std::string(value.data(), value.size()));
    }
    watch->Rest();
  }
  ~WatchedContext() { watch->Stop(); }

  grpc::ClientContext context;
  const std::shared_ptr<CancellationWatch> watch;
};

}  // namespace

std::shared_ptr<grpc::ClientContext> ClientContextFor(
    const grpc::ServerContextBase& server_context) {
  auto watched = std::make_shared<WatchedContext>(server_context);
  return std::shared_ptr<grpc::ClientContext>(watched, &watched->context);
}

}  // namespace grpc_cxl
