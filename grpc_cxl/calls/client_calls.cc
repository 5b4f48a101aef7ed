// SPDX-License-Identifier: Apache-2.0
#include "grpc_cxl/calls/client_calls.h"

#include <algorithm>
#include <utility>

#include "absl/log/check.h"
#include "grpc_cxl/doorbell/full_fence.h"

namespace grpc_cxl::internal {
ClientCalls::ClientCalls(absl::Span<char> area, size_t buffer_bytes,
                         std::function<void()> wake_peer, SharedView view, bool polls,
                         SpinBudget spin, ArenaPages pages, std::atomic<uint64_t>* numbers,
                         CallClientPlaces look)
    : mine_(reinterpret_cast<CallClientWords*>(area.data())),
      peer_(reinterpret_cast<const CallServerWords*>(area.data() + kCallServerWordsAt)),
      my_look_(look.mine == nullptr ? &mine_->look : look.mine),
      peer_look_(look.peer == nullptr ? &peer_->look : look.peer),
      client_slots_(reinterpret_cast<CallClientSlot*>(area.data() + kCallClientSlotsAt)),
      server_slots_(reinterpret_cast<const CallServerSlot*>(area.data() + kCallServerSlotsAt)),
      requests_(area.data() + kCallBuffersAt),
      responses_(requests_ + kCallSlots * buffer_bytes),
      buffer_bytes_(buffer_bytes),
      wake_peer_(std::move(wake_peer)),
      view_(view),
      polls_(polls || !view.coherent()),
      waiters_(&mine_->awake, server_slots_, spin),
      pages_(pages),
      numbers_(numbers),
      calls_(new Call[kCallSlots]) {
  CHECK_GE(area.size(), CallAreaBytes(buffer_bytes));
}

bool ClientCalls::Accepting() const {
  // Matched by the release store in ServerCalls::SetAccepting(); the order does not matter.
  return view_.LoadUnlessNew(peer_look_->accepting, uint64_t{0}, std::memory_order_acquire) == 1 &&
         !retired_.load(std::memory_order_relaxed) && !ended();
}

int ClientCalls::Acquire() {
  int slot = TryAcquire();
  if (slot >= 0 || unwanted_.load(std::memory_order_relaxed) == 0) return slot;
  FreeUnwanted();
  return TryAcquire();
}

void ClientCalls::FreeUnwanted() {
  for (uint64_t left = unwanted_.load(std::memory_order_relaxed); left != 0; left &= left - 1) {
    LookPolled(__builtin_ctzll(left));
  }
}

int ClientCalls::TryAcquire() {
  // acquire, also where the exchange fails: matched by the release in Release(), so that
  // `cancelled` below has the flips for all earlier calls of the free slots.
  uint64_t free = free_.load(std::memory_order_acquire);
  for (;;) {
    // cancels_seen: matched by the release store in ServerCalls::LookAtCancels().
    uint64_t seen = view_.Peek(peer_look_->cancels_seen, std::memory_order_acquire);
    const uint64_t cancelled = my_look_->cancelled.load(std::memory_order_relaxed);
    if (free != 0 && (free & ~(cancelled ^ seen)) == 0 && !view_.coherent()) {
      seen = view_.Load(peer_look_->cancels_seen, std::memory_order_acquire);
    }
    const uint64_t usable = free & ~(cancelled ^ seen);
    if (usable == 0 || retired_.load(std::memory_order_relaxed) || ended()) return -1;
    const int slot = __builtin_ctzll(usable);
    // Matched by the release in Release(): what the last call did to the slot is over.
    // seq_cst, with busy(): see Retire().
    if (free_.compare_exchange_weak(free, free & ~Bit(slot), std::memory_order_seq_cst,
                                    std::memory_order_acquire)) {
      if (!retired_.load(std::memory_order_seq_cst) && Reserve(slot)) return slot;
      Release(slot);
      return -1;
    }
  }
}

bool ClientCalls::Reserve(int slot) {
  if (!pages_.on_use() || (reserved_.load(std::memory_order_relaxed) & Bit(slot)) != 0) return true;
  const absl::Span<const char> words(reinterpret_cast<const char*>(&client_slots_[slot]),
                                     sizeof(CallClientSlot));
  if (!pages_.Reserve(words).ok() || !pages_.Reserve(RequestBuffer(slot)).ok()) return false;
  reserved_.fetch_or(Bit(slot), std::memory_order_relaxed);
  return true;
}

void ClientCalls::Rest() {
  // Only where memory is coherent: elsewhere all pages are reserved from the beginning on.
  if (!MayRest() || ended()) return;
  // acquire: matched by the release in Release(). Nobody else has these slots from here on.
  uint64_t owned = free_.exchange(0, std::memory_order_acquire);
  // Of the others the server may not have seen the end yet.
  const uint64_t cancels = my_look_->cancelled.load(std::memory_order_relaxed) ^
                           peer_look_->cancels_seen.load(std::memory_order_acquire);
  const uint64_t resting = owned & ~cancels & reserved_.load(std::memory_order_relaxed);
  for (uint64_t left = resting; left != 0; left &= left - 1) {
    pages_.GiveBack(RequestBuffer(__builtin_ctzll(left)));
  }
  reserved_.fetch_and(~resting, std::memory_order_relaxed);
  const bool all = (owned & ~cancels) == ~uint64_t{0};
  // Matched by the acquire load in ServerCalls::Look(): the responses are read.
  if (all) mine_->calls_read.store(posts(), std::memory_order_release);
  free_.fetch_or(owned, std::memory_order_release);
  if (all) wake_peer_();
}

absl::Span<char> ClientCalls::RequestBuffer(int slot) const {
  return absl::MakeSpan(requests_ + slot * buffer_bytes_, buffer_bytes_);
}

uint32_t ClientCalls::Post(int slot, size_t request_bytes, size_t response_limit,
                           Priority priority) {
  absl::MutexLock lock(calls_[slot].mu);
  FillSlot(slot, request_bytes, response_limit, CallWaiter::kLooking, priority);
  FlipPosted(slot);
  return calls_[slot].generation;
}

void ClientCalls::PostUnwanted(int slot, size_t request_bytes, Callback callback,
                               Priority priority) {
  {
    absl::MutexLock lock(calls_[slot].mu);
    FillSlot(slot, request_bytes, /*response_limit=*/0, CallWaiter::kUnwanted, priority);
    calls_[slot].callback = std::move(callback);
    polled_.fetch_or(Bit(slot), std::memory_order_relaxed);
    unwanted_.fetch_or(Bit(slot), std::memory_order_relaxed);
    FlipPosted(slot);
  }
  FullFence();  // orders the load in ended() after the bits: Ended() sees them, or we see it
  if (ended()) LookPolled(slot);
}

void ClientCalls::FillSlot(int slot, size_t request_bytes, size_t response_limit, CallWaiter waiter,
                           Priority priority) {
  CHECK_LE(request_bytes, buffer_bytes_);
  Call& call = calls_[slot];
  const uint64_t post = posts_.fetch_add(1, std::memory_order_relaxed);
  bytes_out_.Add(request_bytes);
  call.Begin(response_limit);
  CallClientSlot& mine = client_slots_[slot];
  // relaxed, all: FlipPosted() publishes them.
  mine.generation.store(call.generation, std::memory_order_relaxed);
  const uint64_t number =
      numbers_ == nullptr ? post : numbers_->fetch_add(1, std::memory_order_relaxed);
  mine.number.store(static_cast<uint32_t>(number), std::memory_order_relaxed);
  mine.request_bytes.store(static_cast<uint32_t>(request_bytes), std::memory_order_relaxed);
  mine.priority.store(static_cast<uint32_t>(priority), std::memory_order_relaxed);
  mine.waiter.store(static_cast<uint32_t>(waiter), std::memory_order_relaxed);
  view_.Publish(RequestBuffer(slot).subspan(0, request_bytes),
                {reinterpret_cast<const char*>(&mine), sizeof(mine)});
}

void ClientCalls::FlipPosted(int slot) {
  // Publishes what FillSlot() wrote; matched by the acquire load in ServerCalls::Look().
  view_.FetchXor(my_look_->posted, Bit(slot), std::memory_order_release);
  wake_peer_();
}

void ClientCalls::WhenDone(int slot, Callback callback) {
  {
    absl::MutexLock lock(calls_[slot].mu);
    calls_[slot].callback = std::move(callback);
    polled_.fetch_or(Bit(slot), std::memory_order_relaxed);
    view_.Store(client_slots_[slot].waiter, static_cast<uint32_t>(CallWaiter::kPolled),
                std::memory_order_relaxed);
  }
  FullFence();  // matched by the one in ServerCalls::Tell(): it bumps `news`, or we see its word
  LookPolled(slot);
}

void ClientCalls::Cancel(int slot, uint32_t generation) {
  const Call& call = calls_[slot];
  absl::MutexLock lock(calls_[slot].mu);
  if (!call.live || call.generation != generation || call.cancelled) return;
  view_.Store(client_slots_[slot].cancelled_generation, generation, std::memory_order_relaxed);
  FlipCancelled(slot);
}

void ClientCalls::FlipCancelled(int slot) {
  calls_[slot].cancelled = true;
  // Publishes the generation; matched by the acquire load in ServerCalls::Look().
  view_.FetchXor(my_look_->cancelled, Bit(slot), std::memory_order_release);
  wake_peer_();
}

uint64_t ClientCalls::Ping() {
  // Publishes nothing else; matched by the acquire load in ServerCalls::Look().
  const uint64_t ping = view_.FetchAdd(my_look_->ping, uint64_t{1}, std::memory_order_release) + 1;
  wake_peer_();
  return ping;
}

bool ClientCalls::Answered(uint64_t ping) const {
  // Matched by the release store in ServerCalls::LookAtCancels(). It may be nonsense.
  const uint64_t pong = view_.Load(peer_look_->pong, std::memory_order_acquire);
  return static_cast<int64_t>(pong - ping) >= 0;
}

void ClientCalls::Finish(int slot) {
  {
    absl::MutexLock lock(calls_[slot].mu);
    calls_[slot].live = false;
  }
  Release(slot);
}

bool ClientCalls::Ready() const {
  // relaxed: a hint; Run() loads `news` again, with acquire.
  return view_.Peek(peer_look_->news, std::memory_order_relaxed) !=
         seen_news_.load(std::memory_order_relaxed);
}

absl::Status ClientCalls::Run() {
  // Matched by the release in ServerCalls::Tell(). No refresh: Ready() shows newer news.
  seen_news_.store(peer_look_->news.load(std::memory_order_acquire), std::memory_order_relaxed);
  uint64_t left = polled_.load(std::memory_order_relaxed);
  if (!view_.coherent()) RefreshSlots(left);
  for (; left != 0; left &= left - 1) {
    const int slot = __builtin_ctzll(left);
    // relaxed: the load of `news` came first. Skips the many calls that still run.
    const uint32_t word = server_slots_[slot].word.load(std::memory_order_relaxed);
    if (CallStateOf(word) != CallState::kTaken) LookPolled(slot, /*fresh=*/true);
  }
  if (broken_.load(std::memory_order_relaxed)) {
    return absl::DataLossError("the server broke the protocol of direct calls");
  }
  return absl::OkStatus();
}

void ClientCalls::RefreshSlots(uint64_t slots) const {
  if (slots == 0) return;
  // From the first one to the last, with others between.
  const int first = __builtin_ctzll(slots), last = 63 - __builtin_clzll(slots);
  view_.Acquire({reinterpret_cast<const char*>(&server_slots_[first]),
                 (last - first + 1) * sizeof(CallServerSlot)});
}

bool ClientCalls::Look(int slot, CallOutcome* outcome, bool fresh) {
  Call& call = calls_[slot];
  // Matched by the release stores in ServerCalls: the part is visible with its word.
  const SharedU32& shared = server_slots_[slot].word;
  const uint32_t word = fresh ? view_.Peek(shared, std::memory_order_acquire)
                              : view_.Load(shared, std::memory_order_acquire);
  const CallState state = view_.Holds() ? CallStateOf(word) : CallState::kTaken;
  if (!IsOfCall(word, call.generation) || state == CallState::kIdle || state == CallState::kTaken) {
    return false;
  }
  if (state == CallState::kRefused) {
    *outcome = {CallOutcome::Kind::kNotRun, {}};
    return true;
  }
  if (word != MakeCallWord(call.generation, call.parts, state)) {
    // The part that was read last is still there. Any other word breaks the protocol.
    if (word == MakeCallWord(call.generation, call.parts - 1, CallState::kPart)) return false;
    broken_.store(true, std::memory_order_relaxed);
    *outcome = {CallOutcome::Kind::kBroken, {}};
    return true;
  }
  // In the line of the word.
  const uint32_t bytes = server_slots_[slot].part_bytes.load(std::memory_order_relaxed);
  const bool whole = state == CallState::kDone;
  if (bytes > buffer_bytes_ || (!whole && bytes == 0) || state > CallState::kDone) {
    broken_.store(true, std::memory_order_relaxed);
    *outcome = {CallOutcome::Kind::kBroken, {}};
    return true;
  }
  if (call.response.size() + bytes > call.response_limit) call.too_large = true;
  if (!call.too_large || call.parts == 0) {
    const absl::Span<const char> part(responses_ + slot * buffer_bytes_, bytes);
    view_.Acquire(part);
    call.response.append(part.data(), part.size());
    if (!view_.Holds()) return false;  // another's bytes; nobody looks at them any more
  }
  bytes_in_.Add(bytes);
  ++call.parts;
  if (whole) {
    *outcome = {call.too_large ? CallOutcome::Kind::kTooLarge : CallOutcome::Kind::kResponse,
                std::exchange(call.response, {})};
    return true;
  }
  // Matched by the acquire load in ServerCalls::Look().
  view_.FetchXor(my_look_->acked, Bit(slot), std::memory_order_release);
  wake_peer_();
  return false;
}

void ClientCalls::LookPolled(int slot, bool fresh) {
  Callback callback;
  CallOutcome outcome;
  {
    absl::MutexLock lock(calls_[slot].mu);
    if (!calls_[slot].callback) return;
    if (ended()) {
      LookAtEnd(slot, &outcome);
    } else if (!Look(slot, &outcome, fresh)) {
      return;
    }
    callback = std::exchange(calls_[slot].callback, nullptr);
    polled_.fetch_and(~Bit(slot), std::memory_order_relaxed);
    unwanted_.fetch_and(~Bit(slot), std::memory_order_relaxed);
    calls_[slot].live = false;
  }
  Release(slot);
  callback(std::move(outcome));
}

}  // namespace grpc_cxl::internal
