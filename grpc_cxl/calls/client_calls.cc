// SPDX-License-Identifier: Apache-2.0
#include "grpc_cxl/calls/client_calls.h"

#include <time.h>

#include <algorithm>
#include <utility>

#include "absl/log/check.h"
#include "grpc_cxl/base/steady_clock.h"
#include "grpc_cxl/doorbell/back_off.h"
#include "grpc_cxl/doorbell/full_fence.h"
#include "grpc_cxl/doorbell/yield.h"

namespace grpc_cxl::internal {
namespace {

void Nap(int64_t nanoseconds) {
  const timespec nap{.tv_sec = nanoseconds / 1'000'000'000, .tv_nsec = nanoseconds % 1'000'000'000};
  clock_nanosleep(CLOCK_MONOTONIC, 0, &nap, nullptr);  // a signal may cut it short
}

}  // namespace

ClientCalls::ClientCalls(absl::Span<char> area, size_t buffer_bytes,
                         std::function<void()> wake_peer, SharedView view, bool polls,
                         SpinBudget spin, ArenaPages pages, std::atomic<uint64_t>* numbers)
    : mine_(reinterpret_cast<CallClientWords*>(area.data())),
      peer_(reinterpret_cast<const CallServerWords*>(area.data() + kCallServerWordsAt)),
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
  return view_.Load(peer_->accepting, std::memory_order_acquire) == 1 &&
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
    // cancels_seen: matched by the release store in ServerCalls::Look().
    const uint64_t seen = view_.Load(peer_->cancels_seen, std::memory_order_acquire);
    const uint64_t usable = free & ~(mine_->cancelled.load(std::memory_order_relaxed) ^ seen);
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
  const uint64_t cancels = mine_->cancelled.load(std::memory_order_relaxed) ^
                           peer_->cancels_seen.load(std::memory_order_acquire);
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
  mine.generation.store(call.generation, std::memory_order_relaxed);
  const uint64_t number =
      numbers_ == nullptr ? post : numbers_->fetch_add(1, std::memory_order_relaxed);
  mine.number.store(static_cast<uint32_t>(number), std::memory_order_relaxed);
  mine.request_bytes.store(static_cast<uint32_t>(request_bytes), std::memory_order_relaxed);
  mine.priority.store(static_cast<uint32_t>(priority), std::memory_order_relaxed);
  view_.Publish(RequestBuffer(slot).subspan(0, request_bytes));
  view_.Store(mine.waiter, static_cast<uint32_t>(waiter),
              std::memory_order_relaxed);  // with the rest of its line
}

void ClientCalls::FlipPosted(int slot) {
  // Publishes what FillSlot() wrote; matched by the acquire load in ServerCalls::Look().
  view_.FetchXor(mine_->posted, Bit(slot), std::memory_order_release);
  wake_peer_();
}

ClientCalls::Waited ClientCalls::Wait(int slot, int64_t spin_ns, int64_t patience_ns,
                                      CallOutcome* outcome, PastWait* past) {
  const int64_t start = SteadyNs();
  int64_t now = start;
  *past = {};
  if (!polls_) waiters_.StartLooking();
  bool done = false;
  spin_ns = std::min(spin_ns, patience_ns);
  while (spin_ns > 0) {
    done = Look(slot, outcome);
    if (done) break;
    if (!polls_) waiters_.WakeParked();
    if (now - start >= spin_ns) break;
    // Gives the core to a thread that needs it, maybe the server's.
    const Yielded yielded = Yield(now);
    now = yielded.now_ns;
    past->away_ns += yielded.away_ns;
    past->unseen_ns = yielded.away_ns;
  }
  past->spun_ns = now - start - past->away_ns;
  if (!done) {
    past->unseen_ns = 0;
    const int64_t until = start + patience_ns;
    done = polls_ ? NapUntilDone(slot, until, outcome, past)
                  : SleepUntilDone(slot, until, outcome, past);
    now = SteadyNs();
  }
  if (!polls_) waiters_.StopLooking();
  past->total_ns = now - start;
  if (past->woken_ns >= 0) past->woken_ns -= start;
  if (!past->slept) past->spun_ns = past->total_ns - past->away_ns;
  if (!done) return Waited::kStillRunning;
  Finish(slot);
  return Waited::kDone;
}

bool ClientCalls::LookOrEnd(int slot, CallOutcome* outcome) {
  if (Look(slot, outcome)) return true;
  if (!ended()) return false;
  LookAtEnd(slot, outcome);
  return true;
}

bool ClientCalls::SleepUntilDone(int slot, int64_t until_ns, CallOutcome* outcome, PastWait* past) {
  // SlotWaiters::StopLooking() has the fence after this store, before each sleep.
  view_.Store(client_slots_[slot].waiter, static_cast<uint32_t>(CallWaiter::kParked),
              std::memory_order_relaxed);
  for (;;) {
    if (waiters_.LookOut(until_ns, [&] { return LookOrEnd(slot, outcome); })) return true;
    // Before the last look: if the server has moved on since, Park() returns at once. relaxed: the
    // value is only compared.
    const uint32_t seen = server_slots_[slot].word.load(std::memory_order_relaxed);
    if (LookOrEnd(slot, outcome)) return true;
    const int64_t left = until_ns - SteadyNs();
    if (left <= 0) return false;
    past->slept = true;
    past->woken_ns = waiters_.Park(slot, seen, left);
  }
}

bool ClientCalls::NapUntilDone(int slot, int64_t until_ns, CallOutcome* outcome, PastWait* past) {
  BackOff naps;
  for (int64_t looked = 0;;) {
    const bool done = LookOrEnd(slot, outcome);
    const int64_t now = SteadyNs();
    // Half of the last nap too late, as a guess.
    if (past->slept) past->woken_ns = now - (now - looked) / 2;
    if (done) return true;
    if (now >= until_ns) return false;
    looked = now;
    past->slept = true;
    Nap(std::min(until_ns - now, naps.Next()));
  }
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
  view_.FetchXor(mine_->cancelled, Bit(slot), std::memory_order_release);
  wake_peer_();
}

uint32_t ClientCalls::Ping() {
  // Publishes nothing else; matched by the acquire load in ServerCalls::Look().
  const uint32_t ping = view_.FetchAdd(mine_->ping, uint32_t{1}, std::memory_order_release) + 1;
  wake_peer_();
  return ping;
}

bool ClientCalls::Answered(uint32_t ping) const {
  // Matched by the release store in ServerCalls::Look(). The count may wrap.
  const uint32_t pong = view_.Load(peer_->pong, std::memory_order_acquire);
  return static_cast<int32_t>(pong - ping) >= 0;
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
  return view_.Load(peer_->news, std::memory_order_relaxed) !=
         seen_news_.load(std::memory_order_relaxed);
}

absl::Status ClientCalls::Run() {
  // Matched by the release in ServerCalls::Tell(). No refresh: LookPolled() refreshes the slots,
  // and Ready() shows newer news.
  seen_news_.store(peer_->news.load(std::memory_order_acquire), std::memory_order_relaxed);
  for (uint64_t left = polled_.load(std::memory_order_relaxed); left != 0; left &= left - 1) {
    const int slot = __builtin_ctzll(left);
    // relaxed: the load of `news` came first. Skips the many calls that still run. Without
    // coherence the value may be old.
    const uint32_t word = server_slots_[slot].word.load(std::memory_order_relaxed);
    if (CallStateOf(word) != CallState::kTaken || !view_.coherent()) LookPolled(slot);
  }
  if (broken_.load(std::memory_order_relaxed)) {
    return absl::DataLossError("the server broke the protocol of direct calls");
  }
  return absl::OkStatus();
}

bool ClientCalls::Look(int slot, CallOutcome* outcome) {
  Call& call = calls_[slot];
  // Matched by the release stores in ServerCalls: the part is visible with its word.
  const uint32_t word = view_.Load(server_slots_[slot].word, std::memory_order_acquire);
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
  view_.FetchXor(mine_->acked, Bit(slot), std::memory_order_release);
  wake_peer_();
  return false;
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
    unwanted_.fetch_and(~Bit(slot), std::memory_order_relaxed);
    calls_[slot].live = false;
  }
  Release(slot);
  callback(std::move(outcome));
}

}  // namespace grpc_cxl::internal
