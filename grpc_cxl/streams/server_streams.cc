// SPDX-License-Identifier: Apache-2.0
#include "grpc_cxl/streams/server_streams.h"

#include <algorithm>
#include <atomic>
#include <utility>
#include <vector>

#include "absl/log/check.h"
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
    StreamItem record;
    absl::StatusOr<bool> more = true;
    // relaxed: stops a client that writes on and on; the lock orders the rest.
    while (more.ok() && *more && !gone_.load(std::memory_order_relaxed)) {
      more = stream_->Next(&record);
    }
    if (more.ok() && !*more && closed) std::exchange(stream_, nullptr)->Free();
  }
  void OnEnded() override {
    gone_.store(true, std::memory_order_relaxed);  // matched by the load above
    absl::MutexLock lock(mu_);
    stream_ = nullptr;
  }

 private:
  std::atomic<bool> gone_{false};
  absl::Mutex mu_;
  std::unique_ptr<ServerStream> stream_ ABSL_GUARDED_BY(mu_);  // null: over
};

}  // namespace

ServerStream::ServerStream(ServerStreams* owner, int slot, uint32_t generation)
    : owner_(owner),
      slot_(slot),
      generation_(generation),
      tx_(&owner->memory_.server_slot(slot).tx, &owner->memory_.client_slot(slot).rx,
          owner->memory_.ring_to_client(slot), owner->memory_.view, owner->memory_.pages),
      rx_(&owner->memory_.server_slot(slot).rx, &owner->memory_.client_slot(slot).tx,
          owner->memory_.ring_to_server(slot), owner->memory_.view),
      writer_(&tx_, &owner->memory_.client_slot(slot).rx, owner->memory_.view),
      reader_(&rx_) {}

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

absl::Status ServerStream::Write(StreamRecord kind,
                                 absl::Span<const absl::Span<const char>> pieces) {
  bool published = false;
  absl::Status status = writer_.Write(kind, pieces, &published);
  if (published) Tell();
  return status;
}

absl::Status ServerStream::Flush() {
  bool published = false;
  absl::Status status = writer_.Flush(&published);
  if (published) Tell();
  return status;
}

absl::StatusOr<bool> ServerStream::Next(StreamItem* record) {
  bool consumed = false;
  absl::StatusOr<bool> complete = reader_.Next(record, &consumed);
  if (consumed) {
    FullFence();  // matched by the one in StreamWriter::Flush()
    if (rx_.WriterWantsWake()) Tell();
  }
  return complete;
}

bool ServerStream::cancelled() const {
  // Matched by the release store in ClientStream::Cancel().
  return owner_->memory_.view.Load(owner_->memory_.client_slot(slot_).cancelled,
                                   std::memory_order_acquire) == generation_;
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
  // The rest of a record that the client gave up lies in reader_, which goes with the stream. The
  // status may be there still, if the client did not want it: nobody reads it.
  if (!std::exchange(ended_, true)) owner_->running_.fetch_sub(1, std::memory_order_seq_cst);
  tx_.ClearWantSpace();  // the next stream has not asked
  owner_->Free(slot_);   // before the client may use the slot again
  SetState(StreamState::kIdle);
}

ServerStreams::ServerStreams(StreamMemory memory, Budget budget)
    : memory_(std::move(memory)), budget_(std::move(budget)) {
  CHECK_GE(memory_.area.size(), kStreamAreaBytes);
}

void ServerStreams::SetAccepting(bool accepting) {
  absl::MutexLock lock(mu_);
  accepting_ = accepting;
  if (accepting) GrantMore();
  StoreGranted();
}

void ServerStreams::GrantMore() {
  const size_t wanted = std::clamp<size_t>(2 * (busy() + 1), granted_, kStreamSlots);
  while (granted_ < wanted && budget_(2 * kStreamRingBytes)) {
    ++granted_;
  }
}

void ServerStreams::StoreGranted() {
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

absl::Status ServerStreams::Run(Begin begin) {
  // Matched by the release in ClientStream::Tell(), as is the load below.
  const uint64_t total = memory_.view.Load(memory_.client_news->total, std::memory_order_acquire);
  if (total == seen_total_.exchange(total, std::memory_order_relaxed)) return absl::OkStatus();
  memory_.view.Refresh(&memory_.client_news->of_slot[kStreamSlots - 1]);  // the second line
  std::array<std::shared_ptr<StreamUser>, kStreamSlots> users;
  std::array<bool, kStreamSlots> news{};
  {
    absl::MutexLock lock(mu_);
    if (ended_) return absl::OkStatus();
    for (size_t i = 0; i < kStreamSlots; ++i) {
      const uint32_t now = memory_.client_news->of_slot[i].load(std::memory_order_acquire);
      news[i] = std::exchange(slots_[i].seen_news, now) != now;
      if (news[i]) users[i] = slots_[i].user;
    }
  }
  for (size_t i = 0; i < kStreamSlots; ++i) {
    if (!news[i]) continue;
    if (users[i] != nullptr) {
      users[i]->OnNews();
    } else if (absl::Status status = Take(static_cast<int>(i), begin); !status.ok()) {
      return status;
    }
  }
  return absl::OkStatus();
}

absl::Status ServerStreams::Take(int index, Begin begin) {
  // Matched by the release store in ClientStream::Post().
  const uint32_t generation =
      memory_.view.Load(memory_.client_slot(index).generation, std::memory_order_acquire);
  bool accepting;
  {
    absl::MutexLock lock(mu_);
    Slot& slot = slots_[index];
    if (generation == slot.generation || slot.user != nullptr || ended_) return absl::OkStatus();
    if (static_cast<size_t>(index) >= granted_) {
      return absl::DataLossError(
          "the client broke the protocol of streams: it uses a slot that it was not granted");
    }
    if (!reserved_) {
      const absl::Span<const char> words(reinterpret_cast<const char*>(&memory_.server_slot(0)),
                                         kStreamSlots * sizeof(StreamServerSlot));
      if (absl::Status status = memory_.pages.Reserve(words); !status.ok()) return status;
      reserved_ = true;
    }
    slot.generation = generation;
    busy_.fetch_add(1, std::memory_order_seq_cst);
    running_.fetch_add(1, std::memory_order_seq_cst);
    accepting = accepting_;
    if (accepting) GrantMore();
    StoreGranted();
  }
  auto stream = std::make_unique<ServerStream>(this, index, generation);
  ServerStream* const raw = stream.get();
  std::shared_ptr<StreamUser> user;
  if (accepting && !raw->cancelled()) user = begin(std::move(stream));
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
  if (user == nullptr) {
    // `begin` may have destroyed the first.
    stream = std::make_unique<ServerStream>(this, index, generation);
    stream->SetState(StreamState::kRefused);
    stream->ended_ = true;
    running_.fetch_sub(1, std::memory_order_seq_cst);
    stream->Tell();
    user = std::make_shared<Refused>(std::move(stream));
  }
  bool ended;
  {
    absl::MutexLock lock(mu_);
    ended = ended_;
    slots_[index].user = user;
  }
  if (ended) {
    Free(index);
    user->OnEnded();
  } else {
    user->OnNews();
  }
  return absl::OkStatus();
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
      if (slot.user == nullptr) continue;
      users.push_back(std::move(slot.user));
      slot.user = nullptr;
      busy_.fetch_sub(1, std::memory_order_seq_cst);
    }
  }
  for (const std::shared_ptr<StreamUser>& user : users) user->OnEnded();
}

}  // namespace grpc_cxl::internal
