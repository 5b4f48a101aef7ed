#include "grpc_cxl/direct/client_calls.h"

#include <sched.h>
#include <time.h>

#include <algorithm>
#include <utility>

#include "absl/log/check.h"
#include "grpc_cxl/doorbell/full_fence.h"

namespace grpc_cxl {
namespace {

int64_t Now() {
  timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return now.tv_sec * int64_t{1'000'000'000} + now.tv_nsec;
}

}  // namespace

ClientCalls::ClientCalls(absl::Span<char> region, size_t buffer_bytes, std::function<void()> ring,
                         SpinBudget spin)
    : mine_(reinterpret_cast<CallClientWords*>(region.data())),
      peer_(reinterpret_cast<const CallServerWords*>(region.data() + kCallServerWordsAt)),
      client_slots_(reinterpret_cast<CallClientSlot*>(region.data() + kCallClientSlotsAt)),
      server_slots_(reinterpret_cast<const CallServerSlot*>(region.data() + kCallServerSlotsAt)),
      requests_(region.data() + kCallBuffersAt),
      responses_(requests_ + kCallSlots * buffer_bytes),
      buffer_bytes_(buffer_bytes),
      ring_(std::move(ring)),
      waiters_(&mine_->awake, server_slots_, spin),
      calls_(new Call[kCallSlots]) {
  CHECK_GE(region.size(), CallRegionBytes(buffer_bytes));
}

bool ClientCalls::Accepting() const {
  // Matched by the release store in ServerCalls::SetAccepting(); nothing hangs on the order.
  return peer_->accepting.load(std::memory_order_acquire) == 1 &&
         !retired_.load(std::memory_order_relaxed) && !ended();
}

int ClientCalls::Acquire() {
  uint64_t free = free_.load(std::memory_order_relaxed);
  for (;;) {
    // cancels_seen: matched by the release store in ServerCalls::Run().
    const uint64_t usable = free & ~(mine_->cancelled.load(std::memory_order_relaxed) ^
                                     peer_->cancels_seen.load(std::memory_order_acquire));
    if (usable == 0 || retired_.load(std::memory_order_relaxed) || ended()) return -1;
    const int slot = __builtin_ctzll(usable);
    // Matched by the release in Release(): what the last call did to the slot is over.
    if (free_.compare_exchange_weak(free, free & ~Bit(slot), std::memory_order_acquire,
                                    std::memory_order_relaxed)) {
      return slot;
    }
  }
}

absl::Span<char> ClientCalls::RequestBuffer(int slot) const {
  return absl::MakeSpan(requests_ + slot * buffer_bytes_, buffer_bytes_);
}

void ClientCalls::Release(int slot) { free_.fetch_or(Bit(slot), std::memory_order_release); }

uint32_t ClientCalls::Post(int slot, size_t request_bytes, size_t response_limit) {
  CHECK_LE(request_bytes, buffer_bytes_);
  Call& call = calls_[slot];
  absl::MutexLock lock(call.mu);
  ++call.generation;
  call.live = true;
  call.parts = 0;
  call.response.clear();
  call.response_limit = response_limit;
  call.too_large = false;
  call.cancelled = false;
  CallClientSlot& mine = client_slots_[slot];
  mine.generation.store(call.generation, std::memory_order_relaxed);
  mine.request_bytes.store(static_cast<uint32_t>(request_bytes), std::memory_order_relaxed);
  mine.waiter.store(static_cast<uint32_t>(CallWaiter::kLooking), std::memory_order_relaxed);
  // Publishes all of the above; matched by the acquire load in ServerCalls::Run().
  mine_->posted.fetch_xor(Bit(slot), std::memory_order_release);
  ring_();
  return call.generation;
}

ClientCalls::Waited ClientCalls::Wait(int slot, int64_t spin_ns, int64_t patience_ns,
                                      CallOutcome* outcome, bool* found_spinning) {
  const int64_t start = Now();
  *found_spinning = false;
  const auto finish = [&] {
    waiters_.StopLooking();
    Finish(slot);
    return Waited::kDone;
  };
  waiters_.StartLooking();
  while (spin_ns > 0) {
    if (Look(slot, outcome)) {
      *found_spinning = true;
      return finish();
    }
    waiters_.WakeParked();
    if (Now() - start >= spin_ns) break;
    // Whoever needs this core gets it at once: it may be the server.
    sched_yield();
  }
  client_slots_[slot].waiter.store(static_cast<uint32_t>(CallWaiter::kParked),
                                   std::memory_order_relaxed);
  for (;;) {
    if (waiters_.LookOut([&] { return Look(slot, outcome); })) return finish();
    // Before the last look: if the server has moved on since, Park() returns at once.
    const uint32_t seen = server_slots_[slot].word.load(std::memory_order_relaxed);
    if (Look(slot, outcome)) return finish();
    if (ended()) {
      LookAtEnd(slot, outcome);
      return finish();
    }
    const int64_t left = start + patience_ns - Now();
    if (left <= 0) {
      waiters_.StopLooking();
      return Waited::kStillRunning;
    }
    waiters_.Park(slot, seen, left);
  }
}

void ClientCalls::WhenDone(int slot, Callback callback) {
  {
    absl::MutexLock lock(calls_[slot].mu);
    calls_[slot].callback = std::move(callback);
    polled_.fetch_or(Bit(slot), std::memory_order_relaxed);
    client_slots_[slot].waiter.store(static_cast<uint32_t>(CallWaiter::kPolled),
                                     std::memory_order_relaxed);
  }
  FullFence();  // matched by the one in ServerCalls::Tell(): it bumps `news`, or we see its word
  LookPolled(slot);
}

void ClientCalls::Cancel(int slot, uint32_t generation) {
  Call& call = calls_[slot];
  absl::MutexLock lock(call.mu);
  if (!call.live || call.generation != generation) return;
  if (std::exchange(call.cancelled, true)) return;
  client_slots_[slot].cancelled_generation.store(generation, std::memory_order_relaxed);
  // Publishes the generation; matched by the acquire load in ServerCalls::Run().
  mine_->cancelled.fetch_xor(Bit(slot), std::memory_order_release);
  ring_();
}

uint32_t ClientCalls::Ping() {
  // Publishes nothing else; matched by the acquire load in ServerCalls::Run().
  const uint32_t ping = mine_->ping.fetch_add(1, std::memory_order_release) + 1;
  ring_();
  return ping;
}

bool ClientCalls::Answered(uint32_t ping) const {
  // Matched by the release store in ServerCalls::Run(). The count may wrap.
  return static_cast<int32_t>(peer_->pong.load(std::memory_order_acquire) - ping) >= 0;
}

void ClientCalls::Finish(int slot) {
  {
    absl::MutexLock lock(calls_[slot].mu);
    calls_[slot].live = false;
  }
  Release(slot);
}

bool ClientCalls::Ready() const {
  return peer_->news.load(std::memory_order_relaxed) != seen_news_.load(std::memory_order_relaxed);
}

absl::Status ClientCalls::Run() {
  // Matched by the release in ServerCalls::Tell(): what the news are about is visible.
  seen_news_.store(peer_->news.load(std::memory_order_acquire), std::memory_order_relaxed);
  for (uint64_t left = polled_.load(std::memory_order_relaxed); left != 0; left &= left - 1) {
    const int slot = __builtin_ctzll(left);
    // relaxed: the load of `news` came first. Most of many calls are running, and of those
    // there is nothing to learn.
    const uint32_t word = server_slots_[slot].word.load(std::memory_order_relaxed);
    if (CallStateOf(word) != CallState::kTaken) LookPolled(slot);
  }
  if (broken_.load(std::memory_order_relaxed)) {
    return absl::DataLossError("the server broke the protocol of direct calls");
  }
  return absl::OkStatus();
}

void ClientCalls::Ended() {
  ended_.store(true, std::memory_order_seq_cst);  // matched by the loads in ended()
  const uint64_t used = ~free_.load(std::memory_order_relaxed);
  for (uint64_t left = used; left != 0; left &= left - 1) {
    const int slot = __builtin_ctzll(left);
    waiters_.Wake(slot);  // our own thread in Wait()
    LookPolled(slot);
  }
}

int ClientCalls::busy() const {
  return __builtin_popcountll(~free_.load(std::memory_order_relaxed));
}

bool ClientCalls::Look(int slot, CallOutcome* outcome) {
  Call& call = calls_[slot];
  // Matched by the release stores in ServerCalls: the part is visible with its word.
  const uint32_t word = server_slots_[slot].word.load(std::memory_order_acquire);
  const CallState state = CallStateOf(word);
  if (!IsOfCall(word, call.generation) || state == CallState::kIdle || state == CallState::kTaken) {
    return false;
  }
  if (state == CallState::kRefused) {
    *outcome = {CallOutcome::Kind::kNotRun, {}};
    return true;
  }
  if (word != MakeCallWord(call.generation, call.parts, state)) {
    // The part that was read last is still there. Anything else is nonsense.
    if (word == MakeCallWord(call.generation, call.parts - 1, CallState::kPart)) return false;
    broken_.store(true, std::memory_order_relaxed);
    *outcome = {CallOutcome::Kind::kBroken, {}};
    return true;
  }
  const uint32_t bytes = server_slots_[slot].part_bytes.load(std::memory_order_relaxed);
  const bool whole = state == CallState::kDone;
  if (bytes > buffer_bytes_ || (!whole && bytes == 0) || state > CallState::kDone) {
    broken_.store(true, std::memory_order_relaxed);
    *outcome = {CallOutcome::Kind::kBroken, {}};
    return true;
  }
  if (call.response.size() + bytes > call.response_limit) call.too_large = true;
  if (!call.too_large || call.parts == 0) {
    call.response.append(responses_ + slot * buffer_bytes_, bytes);
  }
  ++call.parts;
  if (whole) {
    *outcome = {call.too_large ? CallOutcome::Kind::kTooLarge : CallOutcome::Kind::kResponse,
                std::exchange(call.response, {})};
    return true;
  }
  mine_->acked.fetch_xor(Bit(slot), std::memory_order_release);  // matched in ServerCalls::Run()
  ring_();
  return false;
}

void ClientCalls::LookAtEnd(int slot, CallOutcome* outcome) {
  if (Look(slot, outcome)) return;
  const uint32_t generation = calls_[slot].generation;
  client_slots_[slot].cancelled_generation.store(generation, std::memory_order_relaxed);
  FullFence();  // steps 1 to 3 of call_layout.h; matched by the one in ServerCalls::Take()
  const uint32_t word = server_slots_[slot].word.load(std::memory_order_acquire);
  const bool may_have_run = IsOfCall(word, generation) && CallStateOf(word) != CallState::kRefused;
  *outcome = {may_have_run ? CallOutcome::Kind::kLost : CallOutcome::Kind::kNotRun, {}};
}

void ClientCalls::LookPolled(int slot) {
  Callback callback;
  CallOutcome outcome;
  {
    absl::MutexLock lock(calls_[slot].mu);
    if (!calls_[slot].callback) return;
    if (ended()) {
      LookAtEnd(slot, &outcome);
    } else if (!Look(slot, &outcome)) {
      return;
    }
    callback = std::exchange(calls_[slot].callback, nullptr);
    polled_.fetch_and(~Bit(slot), std::memory_order_relaxed);
    calls_[slot].live = false;
  }
  Release(slot);
  callback(std::move(outcome));
}

}  // namespace grpc_cxl
