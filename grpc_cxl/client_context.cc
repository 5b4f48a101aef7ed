// SPDX-License-Identifier: Apache-2.0
#include "grpc_cxl/client_context.h"

#include <grpc/event_engine/event_engine.h>

#include <chrono>
#include <string>
#include <thread>
#include <utility>

#include "absl/base/no_destructor.h"
#include "absl/base/thread_annotations.h"
#include "absl/strings/match.h"
#include "absl/strings/string_view.h"
#include "absl/synchronization/mutex.h"
#include "grpc_cxl/payload/priority_metadata.h"
#include "grpc_cxl/priority.h"

namespace grpc_cxl {
namespace {

using grpc_event_engine::experimental::EventEngine;

constexpr auto kInterval = std::chrono::milliseconds(5);

bool IsPassedOn(absl::string_view key) {
  for (const absl::string_view known :
       {"x-request-id", "grpc-trace-bin", "traceparent", "tracestate", "baggage", "b3"}) {
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

// A client's context that is cancelled when a server's call is. gRPC tells only the handler itself,
// so this looks, until Stop().
class WatchedContext : public std::enable_shared_from_this<WatchedContext> {
 public:
  WatchedContext(const grpc::ServerContextBase& server, std::optional<Priority> priority)
      : engine_(grpc_event_engine::experimental::GetDefaultEventEngine()), server_(server) {
    client_.set_deadline(server.raw_deadline());
    PassOn(server, &client_, priority);
  }

  grpc::ClientContext* client() { return &client_; }

  void Rest() {
    engine_->RunAfter(kInterval, [weak = weak_from_this()] {
      if (const std::shared_ptr<WatchedContext> self = weak.lock()) self->Look();
    });
  }

  // The server's context may go when this returns. Code of the user's that runs while a context
  // looks may call this.
  void Stop() {
    absl::MutexLock lock(mu_);
    stopped_ = true;
    const auto is_rest = [this]() ABSL_SHARED_LOCKS_REQUIRED(mu_) {
      return looking_ == std::thread::id() || looking_ == std::this_thread::get_id();
    };
    mu_.Await(absl::Condition(&is_rest));
  }

 private:
  // Without the mutex where gRPC is called, which runs interceptors of the user's. While it
  // cancels, the timer's reference keeps the client's context.
  void Look() {
    {
      absl::MutexLock lock(mu_);
      if (stopped_) return;
      looking_ = std::this_thread::get_id();
    }
    const bool cancelled = IsCancelled(server_);
    {
      absl::MutexLock lock(mu_);
      looking_ = std::thread::id();
      if (stopped_) return;
    }
    cancelled ? client_.TryCancel() : Rest();
  }

  const std::shared_ptr<EventEngine> engine_;
  const grpc::ServerContextBase& server_;
  grpc::ClientContext client_;

  absl::Mutex mu_;
  bool stopped_ ABSL_GUARDED_BY(mu_) = false;
  std::thread::id looking_ ABSL_GUARDED_BY(mu_);  // whose IsCancelled() is under way
};

}  // namespace

void PassOn(const grpc::ServerContextBase& server_context, grpc::ClientContext* context,
            std::optional<Priority> priority) {
  const auto& metadata = server_context.client_metadata();
  for (const auto& [key, value] : metadata) {
    if (!IsPassedOn(absl::string_view(key.data(), key.size()))) continue;
    context->AddMetadata(std::string(key.data(), key.size()),
                         std::string(value.data(), value.size()));
  }
  if (priority.has_value()) {
    SetPriority(context, *priority);
  } else if (const auto inherited = internal::FindPriority(metadata)) {
    context->AddMetadata(internal::kPriorityKey, internal::PriorityText(*inherited));
  }
}

std::shared_ptr<grpc::ClientContext> ClientContextFor(const grpc::ServerContextBase& server_context,
                                                      std::optional<Priority> priority) {
  auto watched = std::make_shared<WatchedContext>(server_context, priority);
  watched->Rest();
  grpc::ClientContext* const client = watched->client();
  return std::shared_ptr<grpc::ClientContext>(
      client, [watched = std::move(watched)](grpc::ClientContext*) { watched->Stop(); });
}

}  // namespace grpc_cxl
