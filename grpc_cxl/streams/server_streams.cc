// SPDX-License-Identifier: Apache-2.0
#include "grpc_cxl/streams/server_streams.h"

#include <algorithm>
#include <atomic>
#include <optional>
#include <utility>
#include <vector>

#include "absl/log/check.h"
#include "absl/status/statusor.h"
#include "grpc_cxl/base/steady_clock.h"
#include "grpc_cxl/doorbell/full_fence.h"
#include "grpc_cxl/doorbell/futex.h"

namespace grpc_cxl::internal {
namespace {

// The user of a stream that was not taken: reads until it is closed.
class Refused final : public StreamUser {
 public:
  explicit Refused(std::unique_ptr<ServerStream> stream) : stream_(std::move(stream)) {}

  void OnNews() override {
    absl::MutexLock lock(mu_);
    if (stream_ == nullptr) return;
    const bool closed = stream_->closed();  // before the last look
    stream_->BeginLook();
    StreamItem record;
    absl::StatusOr<bool> more = true;
    while (more.ok() && *more) more = stream_->Next(&record);
    if (more.ok() && !*more && closed) std::exchange(stream_, nullptr)->Free();
  }
  void OnEnded() override {
    absl::MutexLock lock(mu_);
    stream_ = nullptr;
  }

 private:
  absl::Mutex mu_;
  std::unique_ptr<ServerStream> stream_ ABSL_GUARDED_BY(mu_);  // null: over
};

}  // namespace

ServerStream::ServerStream(ServerStreams* owner, int slot, uint32_t generation, StreamRings* rings)
    : StreamEnd(rings, &owner->memory_.client_slot(slot).rx, owner->memory_.view),
      owner_(owner),
      slot_(slot),
      generation_(generation) {}

void ServerStream::SetState(StreamState state) {
  // Matched by the acquire loads in ClientStream::state() and ClientStreams::Open().
  owner_->memory_.view.Store(owner_->memory_.server_slot(slot_).word,
                             MakeStreamWord(generation_, state), std::memory_order_release);
}

void ServerStream::Tell() {
  const StreamMemory& memory = owner_->memory_;
  // Steps 1 to 3 of stream_layout.h. Matched by the acquire loads in ClientStream::news() and
  // ClientStreams::Run().
  memory.view.FetchAdd(memory.server_news->of_slot[slot_], uint32_t{1}, std::memory_order_release);
  FullFence();  // matched by the one in ClientStream::SetWaiter()
  const uint32_t waiter =
      memory.view.Load(memory.client_slot(slot_).waiter, std::memory_order_relaxed);
  if ((waiter & kStreamParked) != 0) {
    // relaxed: a figure by itself.
    memory.server_slot(slot_).woke_at.store(SteadyNs(), std::memory_order_relaxed);
    FutexWake(memory.server_news->of_slot[slot_]);
  }
  if ((waiter & kStreamPolled) != 0) {
    memory.view.FetchAdd(memory.server_news->total, uint64_t{1}, std::memory_order_release);
    memory.wake_peer();
  }
}

bool ServerStream::cancelled() const {
  return owner_->Cancelled({slot_, generation_, Priority::kDefault});
}

bool ServerStream::closed() const {
  // Matched by the release store in ClientStream::Close(): what was published is seen.
  return owner_->memory_.view.Load(owner_->memory_.client_slot(slot_).closed,
                                   std::memory_order_acquire) == generation_;
}

void ServerStream::SetEnded() {
  if (std::exchange(ended_, true)) return;
  SetState(StreamState::kEnded);
  Tell();
  owner_->running_.fetch_sub(1, std::memory_order_seq_cst);
}

void ServerStream::Free() {
  // The rest of a record that the client gave up goes with the stream.
  if (!std::exchange(ended_, true)) owner_->running_.fetch_sub(1, std::memory_order_seq_cst);
  ClearWantSpace();
  owner_->Free(slot_);  // before the client may use the slot again
  SetState(StreamState::kIdle);
}

ServerStreams::ServerStreams(StreamMemory memory, Budget budget)
    : memory_(std::move(memory)), budget_(std::move(budget)) {
  CHECK_GE(memory_.area.size(), kStreamAreaBytes);
}

void ServerStreams::SetAccepting(bool accepting) {
  absl::MutexLock lock(mu_);
  accepting_ = accepting;
  StoreGranted();
}

void ServerStreams::StoreGranted() {
  granted_ = std::clamp<size_t>(2 * (busy() + 1), granted_, kStreamSlots);
  // Matched by the acquire load in ClientStreams::Open().
  memory_.view.Store(memory_.server_news->granted,
                     accepting_ ? static_cast<uint32_t>(granted_) : uint32_t{0},
                     std::memory_order_release);
}

bool ServerStreams::Ready() const {
  // relaxed: a hint; Run() loads `total` again, with acquire.
  return memory_.view.Load(memory_.client_news->total, std::memory_order_relaxed) !=
         seen_total_.load(std::memory_order_relaxed);
}

ServerStreams::News ServerStreams::Run(absl::FunctionRef<bool(Priority)> has_room, Begin begin) {
  News found;
  // Matched by the release in ClientStream::Tell(), as is the load below.
  const uint64_t total = memory_.view.Load(memory_.client_news->total, std::memory_order_acquire);
  if (total == seen_total_.exchange(total, std::memory_order_relaxed)) return found;
  memory_.view.Refresh(&memory_.client_news->of_slot[kStreamSlots - 1]);  // the second line
  std::array<std::shared_ptr<StreamUser>, kStreamSlots> users;
  std::array<bool, kStreamSlots> news{};
  {
    absl::MutexLock lock(mu_);
    if (ended_) return found;
    for (size_t i = 0; i < kStreamSlots; ++i) {
      const uint32_t now = memory_.client_news->of_slot[i].load(std::memory_order_acquire);
      news[i] = std::exchange(slots_[i].seen_news, now) != now;
      if (news[i]) users[i] = slots_[i].user;
    }
  }
  for (size_t i = 0; i < kStreamSlots && found.status.ok(); ++i) {
    if (!news[i]) continue;
    if (users[i] != nullptr) {
      users[i]->OnNews();
    } else {
      found.status = Look(static_cast<int>(i), has_room, begin, &found);
    }
  }
  return found;
}

absl::Status ServerStreams::Look(int index, absl::FunctionRef<bool(Priority)> has_room, Begin begin,
                                 News* news) {
  const StreamClientSlot& words = memory_.client_slot(index);
  // Matched by the release store in ClientStream::Post(), which publishes `priority`.
  const uint32_t generation = memory_.view.Load(words.generation, std::memory_order_acquire);
  const Waiting stream{index, generation,
                       PriorityOfStream(words.priority.load(std::memory_order_relaxed))};
  bool begins = false;
  std::optional<Waiting> withdrawn;
  {
    absl::MutexLock lock(mu_);
    Slot& slot = slots_[index];
    if (slot.user != nullptr || ended_) return absl::OkStatus();
    if (slot.waits) {
      if (!Cancelled({index, slot.generation, slot.priority})) return absl::OkStatus();
      slot.waits = false;
      withdrawn = Waiting{index, slot.generation, slot.priority};
    } else if (generation == slot.generation) {
      return absl::OkStatus();  // it is free, or another thread takes it
    } else if (static_cast<size_t>(index) >= granted_) {
      return absl::DataLossError(
          "the client broke the protocol of streams: it uses a slot that it was not granted");
    } else {
      if (absl::Status made = rings_.Make(memory_, StreamSide::kServer); !made.ok()) return made;
      slot.generation = generation;
      slot.priority = stream.priority;
      busy_.fetch_add(1, std::memory_order_seq_cst);
      const bool may = accepting_ && !Cancelled(stream) && Charge(index);
      StoreGranted();
      if (may && !has_room(stream.priority)) {
        slot.waits = true;
        news->waiting.push_back(stream);
        return absl::OkStatus();
      }
      if (may) running_.fetch_add(1, std::memory_order_seq_cst);
      begins = may;
    }
  }
  if (withdrawn.has_value()) news->withdrawn.push_back(*withdrawn);
  begins ? BeginSeen(stream, begin) : RefuseSeen(withdrawn.value_or(stream));
  return absl::OkStatus();
}

bool ServerStreams::Cancelled(const Waiting& stream) const {
  // Matched by the release store in ClientStream::Cancel().
  return memory_.view.Load(memory_.client_slot(stream.slot).cancelled, std::memory_order_acquire) ==
         stream.generation;
}

bool ServerStreams::TakeWaiting(const Waiting& waiting, Begin begin) {
  bool may;
  {
    absl::MutexLock lock(mu_);
    if (!StopWaiting(waiting)) return false;
    may = accepting_;
    if (may) running_.fetch_add(1, std::memory_order_seq_cst);
  }
  may ? BeginSeen(waiting, begin) : RefuseSeen(waiting);
  return may;
}

bool ServerStreams::Refuse(const Waiting& waiting) {
  {
    absl::MutexLock lock(mu_);
    if (!StopWaiting(waiting)) return false;
  }
  RefuseSeen(waiting);
  return true;
}

bool ServerStreams::StopWaiting(const Waiting& waiting) {
  Slot& slot = slots_[waiting.slot];
  return slot.generation == waiting.generation && std::exchange(slot.waits, false);
}

void ServerStreams::BeginSeen(const Waiting& stream, Begin begin) {
  auto made =
      std::make_unique<ServerStream>(this, stream.slot, stream.generation, &rings_[stream.slot]);
  ServerStream* const raw = made.get();
  std::shared_ptr<StreamUser> user = begin(std::move(made), stream.priority);
  if (user != nullptr) {
    // As in call_layout.h, steps a to c: the user runs nothing before OnNews().
    raw->SetState(StreamState::kTaken);
    FullFence();  // matched by the one in ClientStream::TakeBack()
    if (raw->cancelled()) {
      user = nullptr;
    } else {
      raw->Tell();  // while no other thread can end the user, and the stream with it
    }
  }
  if (user != nullptr) return Publish(stream.slot, std::move(user));
  running_.fetch_sub(1, std::memory_order_seq_cst);
  RefuseSeen(stream);
}

void ServerStreams::RefuseSeen(const Waiting& stream) {
  auto made =
      std::make_unique<ServerStream>(this, stream.slot, stream.generation, &rings_[stream.slot]);
  made->LimitMessages(0);  // nobody reads them
  made->SetState(StreamState::kRefused);
  made->ended_ = true;
  made->Tell();
  Publish(stream.slot, std::make_shared<Refused>(std::move(made)));
}

void ServerStreams::Publish(int slot, std::shared_ptr<StreamUser> user) {
  bool ended;
  {
    absl::MutexLock lock(mu_);
    ended = ended_;
    slots_[slot].user = user;
  }
  if (ended) {
    Free(slot);
    user->OnEnded();
  } else {
    user->OnNews();
  }
}

bool ServerStreams::Charge(int index) {
  Slot& slot = slots_[index];
  if (!slot.charged) slot.charged = budget_(2 * kStreamRingBytes);
  return slot.charged && rings_[index].tx.FreeSpace(1).ok();
}

void ServerStreams::Rest() {
  std::vector<std::shared_ptr<StreamUser>> users;
  {
    absl::MutexLock lock(mu_);
    if (ended_ || !rings_.MayRest()) return;  // later, streams without a user use their rings
    for (size_t i = 0; i < kStreamSlots; ++i) {
      if (slots_[i].user != nullptr) {
        users.push_back(slots_[i].user);
      } else {
        rings_[i].tx.Rest();
      }
    }
  }
  for (const std::shared_ptr<StreamUser>& user : users) user->OnRest();
}

void ServerStreams::Free(int slot) {
  std::shared_ptr<StreamUser> dropped;
  {
    absl::MutexLock lock(mu_);
    dropped.swap(slots_[slot].user);
  }
  if (dropped != nullptr) busy_.fetch_sub(1, std::memory_order_seq_cst);
}

void ServerStreams::Ended() {
  std::vector<std::shared_ptr<StreamUser>> users;
  {
    absl::MutexLock lock(mu_);
    ended_ = true;
    for (Slot& slot : slots_) {
      if (std::exchange(slot.waits, false)) busy_.fetch_sub(1, std::memory_order_seq_cst);
      if (slot.user == nullptr) continue;
      users.push_back(std::move(slot.user));
      slot.user = nullptr;
      busy_.fetch_sub(1, std::memory_order_seq_cst);
    }
  }
  for (const std::shared_ptr<StreamUser>& user : users) user->OnEnded();
}

}  // namespace grpc_cxl::internal
