#include "grpc_cxl/direct/server_connection.h"

#include <utility>
#include <vector>

#include "absl/functional/any_invocable.h"
#include "grpc_cxl/event_engine/poller.h"

namespace grpc_cxl {

void ServerConnection::SetOwner(std::weak_ptr<void> owner, std::function<void()> finished,
                                std::function<void(absl::Status)> fail) {
  owner_ = std::move(owner);
  finished_ = std::move(finished);
  fail_ = std::move(fail);
}

void ServerConnection::SetHandler(std::shared_ptr<CallHandler> handler) {
  absl::MutexLock lock(mu_);
  if (retired_) return;
  handler_ = std::move(handler);
  calls_.SetAccepting(true);
}

void ServerConnection::Retire() {
  {
    absl::MutexLock lock(mu_);
    retired_ = true;
    calls_.SetAccepting(false);
  }
  Finished();
}

void ServerConnection::Finished() {
  std::shared_ptr<CallHandler> dropped;
  {
    absl::MutexLock lock(mu_);
    if (retired_ && !Busy()) dropped.swap(handler_);
  }
  finished_();
}

void ServerConnection::Running(ServerCalls::CallId call, Cancellable* running) {
  absl::MutexLock lock(mu_);
  running_[call.slot] = running;
  if (ended_ || cancelled_early_[call.slot] == call.generation) running->Cancel();
}

void ServerConnection::Respond(ServerCalls::CallId call, std::string response) {
  {
    absl::MutexLock lock(mu_);
    running_[call.slot] = nullptr;
  }
  calls_.Respond(call, std::move(response));
  Finished();
}

bool ServerConnection::AwaitResponses(absl::Time deadline) {
  absl::MutexLock lock(mu_);
  // Looked at again whenever mu_ is unlocked: Finished() does that after every response.
  const auto none_runs = [this] { return calls_.running() == 0; };
  return mu_.AwaitWithDeadline(absl::Condition(&none_runs), deadline);
}

absl::Status ServerConnection::Run() {
  struct Taken {
    ServerCalls::CallId call;
    std::string request;
  };
  std::vector<Taken> taken;
  const absl::Status status = calls_.Run(
      [&](ServerCalls::CallId call, std::string request) {
        taken.push_back({call, std::move(request)});
      },
      [&](ServerCalls::CallId call) { Cancel(call); });
  Finished();  // a part that was acked may have been followed by the last
  Poller* const poller = Poller::Current();
  if (poller == nullptr || (taken.size() == 1 && !poller->HasDeferred())) {
    for (Taken& one : taken) Begin(one.call, std::move(one.request));
  } else if (!taken.empty()) {
    std::vector<absl::AnyInvocable<void()>> work;
    work.reserve(taken.size());
    for (Taken& one : taken) {
      work.push_back(
          [self = std::shared_ptr<ServerConnection>(owner_.lock(), this),
           one = std::move(one)]() mutable { self->Begin(one.call, std::move(one.request)); });
    }
    poller->Defer(std::move(work));
  }
  return status;
}

void ServerConnection::Begin(ServerCalls::CallId call, std::string request) {
  std::shared_ptr<CallHandler> handler;
  {
    absl::MutexLock lock(mu_);
    handler = handler_;  // not null: calls are taken only with one, and this one is busy
  }
  absl::Status handled = handler->OnCall(std::shared_ptr<ServerConnection>(owner_.lock(), this),
                                         call, std::move(request));
  if (handled.ok()) return;
  // Malformed: the connection ends, and with it the call.
  Respond(call, {});
  fail_(std::move(handled));
}

void ServerConnection::Ended() {
  absl::MutexLock lock(mu_);
  ended_ = true;
  for (Cancellable* running : running_) {
    if (running != nullptr) running->Cancel();
  }
}

void ServerConnection::Cancel(ServerCalls::CallId call) {
  absl::MutexLock lock(mu_);
  if (running_[call.slot] != nullptr) {
    running_[call.slot]->Cancel();
  } else {
    cancelled_early_[call.slot] = call.generation;
  }
}

}  // namespace grpc_cxl
