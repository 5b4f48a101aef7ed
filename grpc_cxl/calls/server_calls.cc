// SPDX-License-Identifier: Apache-2.0
#include "grpc_cxl/calls/server_calls.h"

#include <algorithm>
#include <utility>

#include "absl/log/check.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "grpc_cxl/base/steady_clock.h"
#include "grpc_cxl/coherence/fence.h"
#include "grpc_cxl/doorbell/full_fence.h"
#include "grpc_cxl/doorbell/futex.h"

namespace grpc_cxl::internal {
namespace {

absl::Status Broken(absl::string_view how) {
  return absl::DataLossError(absl::StrCat("the client broke the protocol of direct calls: ", how));
}

}  // namespace

ServerCalls::ServerCalls(absl::Span<char> area, size_t buffer_bytes,
                         std::function<void()> wake_peer, SharedView view, ArenaPages pages,
                         std::shared_ptr<CallBudget> budget, CallServerPlaces look)
    : peer_(reinterpret_cast<const CallClientWords*>(area.data())),
      mine_(reinterpret_cast<CallServerWords*>(area.data() + kCallServerWordsAt)),
      peer_look_(look.peer == nullptr ? &peer_->look : look.peer),
      my_look_(look.mine == nullptr ? &mine_->look : look.mine),
      client_slots_(reinterpret_cast<const CallClientSlot*>(area.data() + kCallClientSlotsAt)),
      server_slots_(reinterpret_cast<CallServerSlot*>(area.data() + kCallServerSlotsAt)),
      requests_(area.data() + kCallBuffersAt),
      responses_(area.data() + kCallBuffersAt + kCallSlots * buffer_bytes),
      buffer_bytes_(buffer_bytes),
      wake_peer_(std::move(wake_peer)),
      view_(view),
      pages_(pages),
      budget_(std::move(budget)),
      slots_(new Slot[kCallSlots]) {
  CHECK_GE(area.size(), CallAreaBytes(buffer_bytes));
}

void ServerCalls::SetAccepting(bool accepting) {
  absl::MutexLock lock(run_mu_);  // Run() has counted what it takes, or sees this
  accepting_.store(accepting, std::memory_order_relaxed);
  // Matched by the acquire load in ClientCalls::Accepting().
  view_.Store(my_look_->accepting, uint64_t{accepting}, std::memory_order_release);
}

bool ServerCalls::Ready() const {
  // relaxed: hints; Look() loads the words again, with acquire. All are in one line, but for
  // `calls_read`, which stays 0 where that matters.
  return view_.Peek(peer_look_->posted, std::memory_order_relaxed) !=
             seen_posted_.load(std::memory_order_relaxed) ||
         peer_look_->acked.load(std::memory_order_relaxed) !=
             seen_acked_.load(std::memory_order_relaxed) ||
         peer_look_->cancelled.load(std::memory_order_relaxed) !=
             seen_cancelled_.load(std::memory_order_relaxed) ||
         peer_->calls_read.load(std::memory_order_relaxed) !=
             seen_read_.load(std::memory_order_relaxed) ||
         peer_look_->ping.load(std::memory_order_relaxed) !=
             my_look_->pong.load(std::memory_order_relaxed);
}

ServerCalls::News ServerCalls::Run(absl::FunctionRef<bool(Priority)> has_room) {
  News news;
  absl::MutexLock lock(run_mu_);
  news.status = Look(has_room, &news);
  return news;
}

absl::Status ServerCalls::Look(absl::FunctionRef<bool(Priority)> has_room, News* news) {
  if (!view_.Holds()) return NoLongerOurs();
  if (!view_.coherent() && !Ready()) view_.Refresh(peer_look_);
  // The acquire loads are matched by the release flips in ClientCalls.
  const uint64_t posted = peer_look_->posted.load(std::memory_order_acquire);
  uint64_t left = posted ^ seen_posted_.exchange(posted, std::memory_order_relaxed);
  calls_seen_.fetch_add(__builtin_popcountll(left), std::memory_order_relaxed);
  for (; left != 0; left &= left - 1) {
    absl::Status status = See(__builtin_ctzll(left), has_room, news);
    if (!status.ok()) return status;
  }
  const uint64_t acked = peer_look_->acked.load(std::memory_order_acquire);
  left = acked ^ seen_acked_.exchange(acked, std::memory_order_relaxed);
  for (; left != 0; left &= left - 1) {
    if (absl::Status status = SendNext(__builtin_ctzll(left)); !status.ok()) return status;
  }
  // Matched by the release store in ClientCalls::Rest().
  const uint64_t read = peer_->calls_read.load(std::memory_order_acquire);
  if (read != seen_read_.exchange(read, std::memory_order_relaxed) &&
      read == calls_seen_.load(std::memory_order_relaxed) && pages_.may_give_back()) {
    Rest();
  }
  LookAtCancels(news);
  return absl::OkStatus();
}

void ServerCalls::LookAtCancels(News* news) {
  const uint64_t cancels = peer_look_->cancelled.load(std::memory_order_acquire);  // as in Look()
  uint64_t left = cancels ^ seen_cancelled_.exchange(cancels, std::memory_order_relaxed);
  // Matched by the release in ClientCalls::Ping().
  const uint64_t ping = peer_look_->ping.load(std::memory_order_acquire);
  if (left == 0 && ping == my_look_->pong.load(std::memory_order_relaxed)) return;
  for (; left != 0; left &= left - 1) {
    const int slot = __builtin_ctzll(left);
    const CallId call{
        slot, view_.Load(client_slots_[slot].cancelled_generation, std::memory_order_relaxed)};
    Slot& state = slots_[slot];
    absl::MutexLock slot_lock(state.mu);
    if (IsWaiting(state, call)) {
      state.stage = Stage::kIdle;
      news->withdrawn.push_back(call);
    } else if (state.stage == Stage::kRunning && state.generation == call.generation) {
      news->cancelled.push_back(call);
    }
  }
  // Matched by the acquire load in ClientCalls::Answered().
  my_look_->pong.store(ping, std::memory_order_release);
  // Matched by the acquire loads in ClientCalls::TryAcquire().
  view_.Store(my_look_->cancels_seen, cancels,
              std::memory_order_release);  // with `pong`, in its line
  // Then: the slots are free at once.
  for (const CallId& call : news->withdrawn) {
    Tell(call.slot, MakeCallWord(call.generation, 0, CallState::kRefused));
    ++news->refused;
  }
}

absl::Status ServerCalls::See(int slot, absl::FunctionRef<bool(Priority)> has_room, News* news) {
  Slot& state = slots_[slot];
  // Both were published by the flip.
  view_.Acquire({reinterpret_cast<const char*>(&client_slots_[slot]), sizeof(CallClientSlot)},
                Request(slot).first(kFirstBytes));
  const uint32_t generation = client_slots_[slot].generation.load(std::memory_order_relaxed);
  const uint32_t bytes = client_slots_[slot].request_bytes.load(std::memory_order_relaxed);
  const bool wants_response = client_slots_[slot].waiter.load(std::memory_order_relaxed) !=
                              static_cast<uint32_t>(CallWaiter::kUnwanted);
  const Priority priority =
      PriorityOfSlot(client_slots_[slot].priority.load(std::memory_order_relaxed));
  if (bytes > buffer_bytes_) return Broken("a request is larger than its buffer");
  absl::MutexLock lock(state.mu);
  if (state.stage != Stage::kIdle) return Broken("a slot was posted while its call runs");
  if (absl::Status status = ReserveWords(); !status.ok()) return status;
  state.generation = generation;
  state.request_bytes = bytes;
  state.wants_response = wants_response;
  state.priority = priority;
  if (accepting_.load(std::memory_order_relaxed) && !has_room(priority)) {
    state.stage = Stage::kWaiting;
    news->waiting.push_back({slot, generation, wants_response, priority,
                             client_slots_[slot].number.load(std::memory_order_relaxed)});
    return absl::OkStatus();
  }
  if (std::optional<TakenCall> taken = Take(slot, state, kFirstBytes)) {
    news->taken.push_back(*std::move(taken));
  } else {
    ++news->refused;
  }
  return absl::OkStatus();
}

std::optional<ServerCalls::TakenCall> ServerCalls::TakeWaiting(CallId call) {
  absl::MutexLock lock(run_mu_);  // with SetAccepting()
  Slot& state = slots_[call.slot];
  absl::MutexLock slot_lock(state.mu);
  // A hostile client may have posted another call under the same number meanwhile.
  if (!IsWaiting(state, call) || state.priority != call.priority) return std::nullopt;
  return Take(call.slot, state, /*acquired=*/0);
}

bool ServerCalls::Refuse(CallId call) {
  Slot& state = slots_[call.slot];
  absl::MutexLock lock(state.mu);
  if (!IsWaiting(state, call)) return false;
  state.stage = Stage::kIdle;
  Tell(call.slot, MakeCallWord(call.generation, 0, CallState::kRefused));
  return true;
}

std::optional<ServerCalls::TakenCall> ServerCalls::Take(int slot, Slot& state, size_t acquired) {
  const uint32_t generation = state.generation;
  if (!state.reserved) state.reserved = ReserveBuffers(slot);
  if (!state.reserved || !accepting_.load(std::memory_order_relaxed)) {
    state.stage = Stage::kIdle;
    Tell(slot, MakeCallWord(generation, 0, CallState::kRefused));
    return std::nullopt;
  }
  state.stage = Stage::kRunning;
  busy_.fetch_add(1, std::memory_order_seq_cst);
  running_.fetch_add(1, std::memory_order_seq_cst);
  // Steps a to c of call_layout.h.
  view_.Store(server_slots_[slot].word, MakeCallWord(generation, 0, CallState::kTaken),
              std::memory_order_relaxed);
  FullFence();  // matched by the one in ClientCalls::LookAtEnd()
  if (view_.Load(client_slots_[slot].cancelled_generation, std::memory_order_relaxed) ==
      generation) {
    EndRunning(state);
    Tell(slot, MakeCallWord(generation, 0, CallState::kRefused));
    return std::nullopt;
  }
  const absl::Span<const char> bytes = Request(slot).first(state.request_bytes);
  view_.Acquire(bytes.subspan(std::min(acquired, bytes.size())));
  std::string request(bytes.data(), bytes.size());
  if (!view_.Holds()) {  // another's request
    EndRunning(state);
    return std::nullopt;
  }
  bytes_in_.AddAlone(request.size());
  return TakenCall{{slot, generation, state.wants_response, state.priority}, std::move(request)};
}

absl::Status ServerCalls::ReserveAllWords() {
  absl::MutexLock lock(run_mu_);
  const absl::Span<const char> first(reinterpret_cast<const char*>(peer_), kCallWordsBytes);
  if (absl::Status status = pages_.Reserve(first); !status.ok()) return status;
  return ReserveWords();
}

absl::Status ServerCalls::ReserveWords() {
  if (words_reserved_) return absl::OkStatus();
  const absl::Span<const char> words(reinterpret_cast<const char*>(server_slots_),
                                     kCallSlots * sizeof(CallServerSlot));
  if (absl::Status status = pages_.Reserve(words); !status.ok()) return status;
  words_reserved_ = true;
  return absl::OkStatus();
}

bool ServerCalls::ReserveBuffers(int slot) {
  if (budget_ != nullptr && !budget_->Take(2 * buffer_bytes_)) return false;
  if (pages_.Reserve({responses_ + slot * buffer_bytes_, buffer_bytes_}).ok()) return true;
  if (budget_ != nullptr) budget_->Give(2 * buffer_bytes_);
  return false;
}

void ServerCalls::Rest() {
  for (size_t slot = 0; slot < kCallSlots; ++slot) {
    absl::MutexLock lock(slots_[slot].mu);
    if (slots_[slot].stage != Stage::kIdle || !slots_[slot].reserved) continue;
    pages_.GiveBack({responses_ + slot * buffer_bytes_, buffer_bytes_});
    slots_[slot].reserved = false;
    if (budget_ != nullptr) budget_->Give(2 * buffer_bytes_);
  }
}

void ServerCalls::Respond(CallId call, std::string response) {
  Slot& state = slots_[call.slot];
  absl::MutexLock lock(state.mu);
  CHECK(state.stage == Stage::kRunning && state.generation == call.generation);
  state.stage = Stage::kSending;
  if (state.wants_response) state.response = std::move(response);
  state.sent = 0;
  state.parts = 0;
  SendPart(call.slot, state);
  running_.fetch_sub(1, std::memory_order_seq_cst);
}

void ServerCalls::Drop(CallId call) {
  Slot& state = slots_[call.slot];
  absl::MutexLock lock(state.mu);
  CHECK(state.stage == Stage::kRunning && state.generation == call.generation);
  EndRunning(state);
}

void ServerCalls::EndRunning(Slot& state) {
  state.stage = Stage::kIdle;
  running_.fetch_sub(1, std::memory_order_seq_cst);
  NotBusy();
}

absl::Status ServerCalls::SendNext(int slot) {
  Slot& state = slots_[slot];
  absl::MutexLock lock(state.mu);
  if (state.stage != Stage::kSending) return Broken("a part was acked that was not sent");
  SendPart(slot, state);
  return absl::OkStatus();
}

void ServerCalls::SendPart(int slot, Slot& state) {
  const size_t bytes = std::min(state.response.size() - state.sent, buffer_bytes_);
  if (view_.Holds()) {
    view_.Copy(responses_ + slot * buffer_bytes_,
               absl::MakeConstSpan(state.response).subspan(state.sent, bytes));
  }
  view_.Publish({responses_ + slot * buffer_bytes_, bytes});
  bytes_out_.Add(bytes);
  state.sent += bytes;
  const bool whole = state.sent == state.response.size();
  const uint32_t word =
      MakeCallWord(state.generation, state.parts++, whole ? CallState::kDone : CallState::kPart);
  // Travels with the word, in its line.
  server_slots_[slot].part_bytes.store(static_cast<uint32_t>(bytes), std::memory_order_relaxed);
  if (whole) {
    // Before the word: the client may post the slot again as soon as it sees that.
    state.stage = Stage::kIdle;
    state.response.clear();
  }
  Tell(slot, word);
  if (!whole) return;
  if (!state.wants_response) untold_.store(true, std::memory_order_seq_cst);
  // After the word: who sees no call any more may close the connection.
  NotBusy();
}

void ServerCalls::NotBusy() {
  const bool last = busy_.fetch_sub(1, std::memory_order_seq_cst) == 1;
  if (last && untold_.exchange(false, std::memory_order_seq_cst)) wake_peer_();
}

void ServerCalls::Tell(int slot, uint32_t word) {
  // Publishes the part; matched by the acquire load in ClientCalls::Look().
  view_.Store(server_slots_[slot].word, word, std::memory_order_release);
  FullFence();  // matched by those in SlotWaiters::StopLooking() and WhenDone()
  switch (
      static_cast<CallWaiter>(view_.Load(client_slots_[slot].waiter, std::memory_order_relaxed))) {
    case CallWaiter::kParked:
      // relaxed: the fence above orders it; matched by SlotWaiters::StopLooking(). The time is a
      // figure by itself.
      if (peer_->awake.load(std::memory_order_relaxed) == 0) {
        server_slots_[slot].woke_at.store(SteadyNs(), std::memory_order_relaxed);
        FutexWake(server_slots_[slot].word);
      }
      break;
    case CallWaiter::kPolled:
      // Matched by the acquire load in ClientCalls::Run().
      view_.FetchAdd(my_look_->news, uint64_t{1}, std::memory_order_release);
      wake_peer_();
      break;
    case CallWaiter::kUnwanted:
      view_.FetchAdd(my_look_->news, uint64_t{1}, std::memory_order_release);  // as above
      if (CallStateOf(word) == CallState::kRefused) wake_peer_();  // else see SendPart()
      break;
    default:  // looks by itself
      break;
  }
}

}  // namespace grpc_cxl::internal
