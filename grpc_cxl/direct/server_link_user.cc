// SPDX-License-Identifier: Apache-2.0
#include "grpc_cxl/direct/server_link_user.h"

#include <map>
#include <utility>
#include <vector>

#include "absl/functional/any_invocable.h"
#include "grpc_cxl/base/steady_clock.h"
#include "grpc_cxl/direct/call_counters.h"
#include "grpc_cxl/polling/poller.h"

namespace grpc_cxl::internal {

ServerLinkUser::ServerLinkUser(Link* link, size_t buffer_bytes, size_t areas,
                               std::shared_ptr<CallBudget> budget, bool trust_peer,
                               std::string peer, std::shared_ptr<OwnServer> own,
                               std::shared_ptr<ServerLoad> load)
    : calls_(
          link->call_area(), buffer_bytes, areas, std::move(budget), [link] { link->Wake(); },
          link->view(), link->pages()),
      blocks_{link->pool(), link->borrower(), trust_peer},
      peer_(std::move(peer)),
      taken_ns_(areas * kCallSlots),
      own_(std::move(own)),
      load_(std::move(load)),
      running_(areas * kCallSlots),
      cancelled_early_(areas * kCallSlots) {}

void ServerLinkUser::Start(std::weak_ptr<LinkOwner> owner) {
  owner_ = std::move(owner);
  if (own_ != nullptr) own_->Set(Self());
}

std::shared_ptr<ServerLinkUser> ServerLinkUser::Self() {
  const std::shared_ptr<LinkOwner> owner = owner_.lock();
  return owner == nullptr ? nullptr : std::shared_ptr<ServerLinkUser>(owner, this);
}

void ServerLinkUser::SetHandler(std::shared_ptr<CallHandler> handler) {
  absl::MutexLock lock(mu_);
  if (retired_) return;
  handler_ = std::move(handler);
  calls_.SetAccepting(true);
  if (streams_ != nullptr) streams_->SetAccepting(true);
}

void ServerLinkUser::Retire() {
  {
    absl::MutexLock lock(mu_);
    retired_ = true;
    calls_.SetAccepting(false);
    if (streams_ != nullptr) streams_->SetAccepting(false);
  }
  Finished();
}

void ServerLinkUser::Finished() {
  std::shared_ptr<CallHandler> dropped;
  if (retired_) {
    absl::MutexLock lock(mu_);
    if (!Busy()) dropped.swap(handler_);
  }
  if (const auto owner = owner_.lock()) owner->UserIdle();
}

void ServerLinkUser::Running(ServerCalls::CallId call, Cancellable* running) {
  absl::MutexLock lock(mu_);
  running_[call.slot] = running;
  if (ended_ || cancelled_early_[call.slot] == call.generation) running->Cancel();
}

void ServerLinkUser::Respond(ServerCalls::CallId call, std::string response, uint32_t code) {
  const int64_t ns = SteadyNs() - taken_ns_[call.slot];
  {
    absl::MutexLock lock(mu_);
    running_[call.slot] = nullptr;
    figures_.AddAlone(code, ns);
  }
  Load(-1);  // before the client knows
  calls_.Respond(call, std::move(response));
  Finished();
}

std::shared_ptr<CallHandler> ServerLinkUser::BeginInline(Cancellable* running) {
  absl::MutexLock lock(mu_);
  if (retired_ || ended_ || handler_ == nullptr) return nullptr;
  inline_.insert(running);
  ++inline_count_;
  ServedCounters::OfProcess().taken.Add();
  Load(1);
  return handler_;
}

void ServerLinkUser::EndInline(Cancellable* running) {
  {
    absl::MutexLock lock(mu_);
    inline_.erase(running);
    --inline_count_;
  }
  Load(-1);
  Finished();
}

void ServerLinkUser::Load(int calls) {
  if (load_ == nullptr) return;
  load_->Add(calls);
  calls_.SetLoad(load_->Word());
}

bool ServerLinkUser::AwaitResponses(absl::Time deadline) {
  absl::MutexLock lock(mu_);
  // Evaluated again after every unlock of mu_; Finished() unlocks it after each response.
  const auto none_runs = [this]() ABSL_SHARED_LOCKS_REQUIRED(mu_) {
    return calls_.running() == 0 && inline_.empty() &&
           (streams_ == nullptr || streams_->running() == 0);
  };
  return mu_.AwaitWithDeadline(absl::Condition(&none_runs), deadline);
}

absl::Status ServerLinkUser::RunStreams() {
  if (streams_ == nullptr || !streams_->Ready()) return absl::OkStatus();
  return streams_->Run([this](std::unique_ptr<ServerStream> stream) -> std::shared_ptr<StreamUser> {
    std::shared_ptr<CallHandler> handler;
    {
      absl::MutexLock lock(mu_);
      handler = handler_;  // one that was retired stays while a call is busy
    }
    if (handler == nullptr) return nullptr;
    CallHandler* const raw = handler.get();
    return raw->OnStream(Self(), std::move(stream), std::move(handler));
  });
}

absl::Status ServerLinkUser::Run() {
  if (absl::Status run = RunStreams(); !run.ok()) return run;
  ServerCalls::News news = calls_.Run();
  ServedCounters& counters = ServedCounters::OfProcess();
  if (!news.taken.empty()) {
    counters.taken.Add(news.taken.size());
    const int64_t now = SteadyNs();
    for (const ServerCalls::TakenCall& call : news.taken) {
      taken_ns_[call.id.slot] = now;
      if (!call.id.wants_response) figures_.one_way.Add();
    }
    Load(static_cast<int>(news.taken.size()));
  }
  if (news.refused > 0) counters.refused.Add(news.refused);
  for (const ServerCalls::CallId& call : news.cancelled) Cancel(call);
  Finished();  // the ack of a part may have sent the last part
  Poller* const poller = Poller::Current();
  if (poller == nullptr || (news.taken.size() == 1 && !poller->HasDeferred())) {
    for (ServerCalls::TakenCall& call : news.taken) Begin(call.id, std::move(call.request));
  } else if (!news.taken.empty()) {
    std::map<Priority, std::vector<absl::AnyInvocable<void()>>> work;
    for (ServerCalls::TakenCall& call : news.taken) {
      work[call.id.priority].push_back([self = Self(), call = std::move(call)]() mutable {
        self->Begin(call.id, std::move(call.request));
      });
    }
    for (auto& [priority, pieces] : work) poller->Defer(std::move(pieces), priority);
  }
  return std::move(news.status);
}

void ServerLinkUser::Begin(ServerCalls::CallId call, std::string request) {
  std::shared_ptr<CallHandler> handler;
  {
    absl::MutexLock lock(mu_);
    handler = handler_;  // not null: it stays while a call is busy
  }
  absl::Status handled = handler->OnCall(Self(), call, std::move(request));
  if (handled.ok()) return;
  // Malformed: the connection ends, and with it the call.
  Respond(call, {}, static_cast<uint32_t>(handled.code()));
  if (const auto owner = owner_.lock()) owner->End(std::move(handled));
}

void ServerLinkUser::FillStatus(StatusConnection* entry) const {
  calls_.FillStatus(entry);
  figures_.Fill(entry);
}

void ServerLinkUser::Ended() {
  if (streams_ != nullptr) streams_->Ended();
  absl::MutexLock lock(mu_);
  ended_ = true;
  for (Cancellable* running : running_) {
    if (running != nullptr) running->Cancel();
  }
  for (Cancellable* running : inline_) running->Cancel();
}

void ServerLinkUser::Cancel(ServerCalls::CallId call) {
  absl::MutexLock lock(mu_);
  if (running_[call.slot] != nullptr) {
    running_[call.slot]->Cancel();
  } else {
    cancelled_early_[call.slot] = call.generation;
  }
}

}  // namespace grpc_cxl::internal
