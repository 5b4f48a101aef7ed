// SPDX-License-Identifier: Apache-2.0
#include "grpc_cxl/direct/server_link_user.h"

#include <time.h>

#include <iterator>
#include <map>
#include <optional>
#include <utility>
#include <vector>

#include "absl/functional/any_invocable.h"
#include "grpc_cxl/base/steady_clock.h"
#include "grpc_cxl/calls/call_codec.h"
#include "grpc_cxl/calls/call_layout.h"
#include "grpc_cxl/direct/call_counters.h"
#include "grpc_cxl/direct/call_look.h"
#include "grpc_cxl/polling/poller.h"

namespace grpc_cxl::internal {

ServerLinkUser::ServerLinkUser(Link* link, size_t buffer_bytes, size_t areas,
                               std::shared_ptr<CallBudget> budget, bool trust_peer,
                               std::string peer, std::shared_ptr<OwnServer> own,
                               std::shared_ptr<CallCapacity> capacity, bool tells_load)
    : calls_(
          link->call_area(), buffer_bytes, areas, std::move(budget), [link] { link->Wake(); },
          link->view(), link->pages(), ServerLookOf(*link)),
      blocks_{link->pool(), link->borrower(), trust_peer},
      peer_(std::move(peer)),
      taken_ns_(areas * kCallSlots),
      places_(areas * kCallSlots),
      own_(std::move(own)),
      capacity_(std::move(capacity)),
      tells_load_(tells_load),
      running_(areas * kCallSlots) {}

ServerLinkUser::~ServerLinkUser() {
  absl::MutexLock lock(wait_mu_);
  capacity_->AddWaitingCalls(-static_cast<int64_t>(waiting_.size()));
}

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
  Tell();
  calls_.SetAccepting(true);
  if (streams_ != nullptr) streams_->Accept();
}

void ServerLinkUser::Retire() {
  {
    absl::MutexLock lock(mu_);
    retired_ = true;
    calls_.SetAccepting(false);
  }
  if (streams_ != nullptr) streams_->Retire();
  RefuseWaiting();
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
  running_.Begin(call, running);
}

void ServerLinkUser::Respond(ServerCalls::CallId call, std::string response, uint32_t code) {
  const int64_t ns = LeavePlace(std::move(places_[call.slot]), call.priority, taken_ns_[call.slot]);
  bool ended;
  {
    absl::MutexLock lock(mu_);
    running_.End(call);
    figures_.AddAlone(code, ns);
    Tell();  // before the client knows
    ended = ended_;
  }
  // A client that was taken for dead hears that the connection has ended, and not what became of
  // its call for that reason.
  ended ? calls_.Drop(call) : calls_.Respond(call, std::move(response));
  Finished();
  BeginWaiting();  // at last: it may run handlers
}

std::shared_ptr<CallPlace> ServerLinkUser::MakePlace(Priority priority) const {
  if (capacity_->limit() == 0 || !capacity_->HandlersHold()) return nullptr;
  return CallPlace::Make(capacity_, priority);
}

int64_t ServerLinkUser::LeavePlace(std::shared_ptr<CallPlace> place, Priority priority,
                                   int64_t began_ns) {
  const int64_t now = SteadyNs();
  capacity_->Measured(now - began_ns, now);
  if (place == nullptr) capacity_->Release(1, priority);
  return now - began_ns;
}

std::string ServerLinkUser::NamePlace(ServerCalls::CallId call) {
  places_[call.slot] = MakePlace(call.priority);
  return places_[call.slot] == nullptr ? "" : places_[call.slot]->name();
}

ServerLinkUser::Inline ServerLinkUser::BeginInline(Cancellable* running, Priority priority) {
  absl::MutexLock lock(mu_);
  if (retired_ || ended_ || handler_ == nullptr || !capacity_->Enter(priority)) return {};
  inline_.insert(running);
  ++inline_count_;
  ServedCounters::OfProcess().taken.Add();
  Tell();
  return {handler_, priority, MakePlace(priority), SteadyNs()};
}

void ServerLinkUser::EndInline(Cancellable* running, Inline* call) {
  LeavePlace(std::move(call->place), call->priority, call->began_ns);
  {
    absl::MutexLock lock(mu_);
    inline_.erase(running);
    --inline_count_;
    Tell();
  }
  Finished();
}

void ServerLinkUser::Tell() {
  // With the lock, so that the last word is the newest.
  if (tells_load_) {
    timespec now{};
    clock_gettime(CLOCK_MONOTONIC_COARSE, &now);  // a few ns; late by some ms
    calls_.SetLoad(
        MakeLoadWord(capacity_->under_way(), int64_t{now.tv_sec} * 1'000'000'000 + now.tv_nsec));
  }
  if (const uint32_t limit = capacity_->limit(); limit != told_capacity_) {
    told_capacity_ = limit;
    calls_.SetCapacity(limit);
  }
}

void ServerLinkUser::TellCapacity() {
  absl::MutexLock lock(mu_);
  Tell();
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

void ServerLinkUser::AddStreams(std::unique_ptr<ServerStreams> streams) {
  streams_ = std::make_unique<ServedStreams>(
      std::move(streams), capacity_,
      [this] {
        const std::shared_ptr<ServerLinkUser> self = Self();
        return self == nullptr ? nullptr
                               : std::shared_ptr<ServedStreams>(self, self->streams_.get());
      },
      [this](std::unique_ptr<ServerStream> stream, StreamTerms terms) {
        return BeginStream(std::move(stream), std::move(terms));
      },
      [this] {
        if (tells_load_) TellCapacity();
      },
      [this] { StreamOver(); });
}

std::shared_ptr<StreamUser> ServerLinkUser::BeginStream(std::unique_ptr<ServerStream> stream,
                                                        StreamTerms terms) {
  std::shared_ptr<CallHandler> handler;
  {
    absl::MutexLock lock(mu_);
    handler = handler_;  // one that was retired stays while a call is busy
  }
  if (handler == nullptr) return nullptr;
  CallHandler* const raw = handler.get();
  return raw->OnStream(Self(), std::move(stream), std::move(terms), std::move(handler));
}

void ServerLinkUser::StreamOver() {
  if (tells_load_) TellCapacity();
  Finished();
}

absl::Status ServerLinkUser::Run() {
  if (streams_ != nullptr && streams_->Ready()) {
    if (absl::Status run = streams_->Run(); !run.ok()) return run;
  }
  // By priority: places of calls that are not taken after all.
  uint32_t left[std::size(WaitingCalls::kPriorities)] = {};
  // Whether a call waits behind others of this connection. relaxed: if another thread begins the
  // last of them just now, it waits for its turn.
  bool waits = waiting_count_.load(std::memory_order_relaxed) >
               waiting_bulk_.load(std::memory_order_relaxed);
  bool bulk_waits = waiting_count_.load(std::memory_order_relaxed) > 0;
  ServerCalls::News news = calls_.Run([&](Priority priority) {
    bool& behind = priority == Priority::kBulk ? bulk_waits : waits;
    behind = behind || !capacity_->Enter(priority);
    bulk_waits = bulk_waits || waits;
    if (!behind) ++left[static_cast<size_t>(priority)];
    return !behind;
  });
  if (!news.cancelled.empty()) {
    absl::MutexLock lock(mu_);
    for (const ServerCalls::CallId& call : news.cancelled) running_.Cancel(call);
  }
  if (news.refused > 0) ServedCounters::OfProcess().refused.Add(news.refused);
  if (!news.waiting.empty() || !news.withdrawn.empty()) Wait(news);
  for (const ServerCalls::TakenCall& call : news.taken) {
    --left[static_cast<size_t>(call.id.priority)];
  }
  if (!news.taken.empty()) Dispatch(std::move(news.taken));
  for (const Priority priority : WaitingCalls::kPriorities) {
    const uint32_t places = left[static_cast<size_t>(priority)];
    if (places == 0) continue;
    capacity_->Release(places, priority);
    capacity_->BeginWaiting();
  }
  Finished();  // the ack of a part may have sent the last part
  return std::move(news.status);
}

void ServerLinkUser::Wait(const ServerCalls::News& news) {
  const int64_t now = SteadyNs();
  std::map<Priority, int64_t> come_in_turn;
  {
    absl::MutexLock lock(wait_mu_);
    const auto before = static_cast<int64_t>(waiting_.size());
    for (const ServerCalls::CallId& call : news.waiting) waiting_.Add({call, now});
    for (const ServerCalls::CallId& call : news.withdrawn) waiting_.Remove(call);
    CountWaiting();
    capacity_->AddWaitingCalls(static_cast<int64_t>(waiting_.size()) - before);
    for (const Priority priority : WaitingCalls::kPriorities) {
      if (waiting_.size(priority) == 0 || !in_turn_.insert(priority).second) continue;
      come_in_turn[priority] = waiting_.since_ns(priority);
    }
  }
  if (retired_) return RefuseWaiting();  // it may have looked too early
  for (const auto& [priority, since_ns] : come_in_turn) {
    capacity_->Wait(Self(), priority, since_ns);
  }
  if (tells_load_) TellCapacity();
}

void ServerLinkUser::RefuseWaiting() {
  WaitingCalls waiting;
  {
    absl::MutexLock lock(wait_mu_);
    std::swap(waiting, waiting_);
    CountWaiting();
    capacity_->AddWaitingCalls(-static_cast<int64_t>(waiting.size()));
  }
  for (const Priority priority : WaitingCalls::kPriorities) {
    while (const std::optional<WaitingCalls::Call> call = waiting.Next(priority)) {
      if (calls_.Refuse(call->id)) ServedCounters::OfProcess().refused.Add();
    }
  }
}

void ServerLinkUser::CountWaiting() {
  waiting_count_.store(waiting_.size(), std::memory_order_relaxed);
  waiting_bulk_.store(waiting_.size(Priority::kBulk), std::memory_order_relaxed);
}

CallCapacity::Connection::Begun ServerLinkUser::BeginNext(Priority priority) {
  int64_t since_ns = 0;
  for (bool more = true; more;) {
    std::optional<WaitingCalls::Call> next;
    {
      absl::MutexLock lock(wait_mu_);
      next = waiting_.Next(priority);
      more = waiting_.size(priority) > 0;
      since_ns = waiting_.since_ns(priority);
      if (!more) in_turn_.erase(priority);
      CountWaiting();
      if (next.has_value()) capacity_->AddWaitingCalls(-1);
    }
    if (!next.has_value()) break;
    std::optional<ServerCalls::TakenCall> taken = calls_.TakeWaiting(next->id);
    if (!taken.has_value()) {
      ServedCounters::OfProcess().refused.Add();
      continue;
    }
    ShortenTimeout(static_cast<uint64_t>(SteadyNs() - next->seen_ns), &taken->request);
    TakenCalls one;
    one.push_back(*std::move(taken));
    Dispatch(std::move(one));
    return {.one = true, .more = more, .since_ns = since_ns};
  }
  return {};
}

void ServerLinkUser::Dispatch(TakenCalls taken) {
  ServedCounters::OfProcess().taken.Add(taken.size());
  const int64_t now = SteadyNs();
  for (const ServerCalls::TakenCall& call : taken) {
    taken_ns_[call.id.slot] = now;
    if (!call.id.wants_response) figures_.one_way.Add();
  }
  if (tells_load_) TellCapacity();
  Poller* const poller = Poller::Current();
  if (poller == nullptr || (taken.size() == 1 && !poller->HasDeferred())) {
    for (ServerCalls::TakenCall& call : taken) Begin(call.id, std::move(call.request));
    return;
  }
  std::map<Priority, std::vector<absl::AnyInvocable<void()>>> work;
  for (ServerCalls::TakenCall& call : taken) {
    work[call.id.priority].push_back([self = Self(), call = std::move(call)]() mutable {
      self->Begin(call.id, std::move(call.request));
    });
  }
  for (auto& [priority, pieces] : work) poller->Defer(std::move(pieces), priority);
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
  if (streams_ != nullptr) streams_->FillStatus(entry);
  entry->calls_waiting = waiting_count_.load(std::memory_order_relaxed);
  entry->capacity = capacity_->limit();
}

void ServerLinkUser::Ended() {
  if (streams_ != nullptr) streams_->Ended();
  Retire();  // a Run() that is under way takes nothing more
  absl::MutexLock lock(mu_);
  ended_ = true;
  running_.CancelAll();
  for (Cancellable* running : inline_) running->Cancel();
}

}  // namespace grpc_cxl::internal
