// SPDX-License-Identifier: Apache-2.0
#include "grpc_cxl/streams/client_streams.h"

#include <algorithm>
#include <utility>
#include <vector>

#include "absl/log/check.h"
#include "grpc_cxl/doorbell/full_fence.h"
#include "grpc_cxl/doorbell/futex.h"

namespace grpc_cxl::internal {

ClientStream::ClientStream(ClientStreams* owner, int slot, uint32_t generation, StreamRings* rings)
    : StreamEnd(rings, &owner->memory_.server_slot(slot).rx, owner->memory_.view),
      owner_(owner),
      slot_(slot),
      generation_(generation) {}

void ClientStream::Discard() { owner_->Closed(slot_, /*posted=*/false); }

void ClientStream::Post(Priority priority) {
  // relaxed: the store below publishes it.
  owner_->memory_.client_slot(slot_).priority.store(static_cast<uint32_t>(priority),
                                                    std::memory_order_relaxed);
  // Publishes the slot; matched by the acquire load in ServerStreams::Run().
  owner_->memory_.view.Store(owner_->memory_.client_slot(slot_).generation, generation_,
                             std::memory_order_release);
  Tell();
}

void ClientStream::Tell() {
  const StreamMemory& memory = owner_->memory_;
  // Both are matched by the acquire loads in ServerStreams::Run().
  memory.view.FetchAdd(memory.client_news->of_slot[slot_], uint32_t{1}, std::memory_order_release);
  memory.view.FetchAdd(memory.client_news->total, uint64_t{1}, std::memory_order_release);
  memory.wake_peer();
}

StreamState ClientStream::state() const {
  // Matched by the release store in ServerStream::SetState().
  return StreamStateIn(
      owner_->memory_.view.Load(owner_->memory_.server_slot(slot_).word, std::memory_order_acquire),
      generation_);
}

bool ClientStream::TakeBack() {
  owner_->memory_.view.Store(owner_->memory_.client_slot(slot_).cancelled, generation_,
                             std::memory_order_relaxed);
  FullFence();  // matched by the one in ServerStreams::Take()
  const StreamState now = state();
  return now == StreamState::kNone || now == StreamState::kRefused;
}

void ClientStream::Cancel() {
  // Matched by the acquire load in ServerStream::cancelled().
  owner_->memory_.view.Store(owner_->memory_.client_slot(slot_).cancelled, generation_,
                             std::memory_order_release);
  Tell();
}

void ClientStream::Close() {
  ClearWantSpace();
  // The order of the last published bytes and this is that of the acquire load in
  // ServerStream::closed().
  owner_->memory_.view.Store(owner_->memory_.client_slot(slot_).closed, generation_,
                             std::memory_order_release);
  Tell();
  owner_->Closed(slot_, /*posted=*/true);
}

uint32_t ClientStream::news() const {
  // Matched by the release in ServerStream::Tell().
  return owner_->memory_.view.Load(owner_->memory_.server_news->of_slot[slot_],
                                   std::memory_order_acquire);
}

void ClientStream::SetWaiter(uint32_t bits) {
  // Steps a and b of stream_layout.h; the fence is matched by the one in ServerStream::Tell().
  owner_->memory_.view.Store(owner_->memory_.client_slot(slot_).waiter, bits,
                             std::memory_order_relaxed);
  FullFence();
}

void ClientStream::Park(uint32_t seen, int64_t nanoseconds) const {
  FutexWait(owner_->memory_.server_news->of_slot[slot_], seen, nanoseconds);
}

int64_t ClientStream::WokenAt() const {
  // relaxed: a figure by itself. The server may say anything.
  return static_cast<int64_t>(
      owner_->memory_.server_slot(slot_).woke_at.load(std::memory_order_relaxed));
}

void ClientStream::WakeParked() const { FutexWake(owner_->memory_.server_news->of_slot[slot_]); }

ClientStreams::ClientStreams(StreamMemory memory) : memory_(std::move(memory)) {
  CHECK_GE(memory_.area.size(), kStreamAreaBytes);
}

std::unique_ptr<ClientStream> ClientStreams::Open(std::shared_ptr<StreamUser> user) {
  // Matched by the release store in ServerStreams::SetGranted().
  const size_t granted = std::min<size_t>(
      memory_.view.Load(memory_.server_news->granted, std::memory_order_acquire), kStreamSlots);
  if (granted == 0) return nullptr;
  absl::MutexLock lock(mu_);
  if (ended()) return nullptr;
  if (!rings_.Make(memory_, StreamSide::kClient).ok()) return nullptr;
  for (size_t i = 0; i < granted; ++i) {
    Slot& slot = slots_[i];
    if (slot.user != nullptr) continue;
    // Matched by the release store in ServerStream::SetState().
    if (slot.generation != 0 &&
        StreamStateIn(memory_.view.Load(memory_.server_slot(i).word, std::memory_order_acquire),
                      slot.generation) != StreamState::kIdle) {
      continue;
    }
    if (!rings_[i].tx.FreeSpace(1).ok()) return nullptr;  // no memory for its first page
    busy_.fetch_add(1, std::memory_order_seq_cst);
    if (retired_.load(std::memory_order_seq_cst)) {
      busy_.fetch_sub(1, std::memory_order_seq_cst);
      return nullptr;
    }
    ++slot.generation;
    slot.user = std::move(user);
    // relaxed: Post() publishes it.
    memory_.client_slot(i).waiter.store(0, std::memory_order_relaxed);
    return std::make_unique<ClientStream>(this, static_cast<int>(i), slot.generation, &rings_[i]);
  }
  return nullptr;
}

void ClientStreams::Closed(int slot, bool posted) {
  std::shared_ptr<StreamUser> dropped;
  {
    absl::MutexLock lock(mu_);
    dropped.swap(slots_[slot].user);
    if (!posted) --slots_[slot].generation;  // the server never sees it, and would never free it
  }
  if (dropped != nullptr) busy_.fetch_sub(1, std::memory_order_seq_cst);
}

bool ClientStreams::Ready() const {
  // relaxed: a hint; Run() loads `total` again, with acquire.
  return memory_.view.Load(memory_.server_news->total, std::memory_order_relaxed) !=
         seen_total_.load(std::memory_order_relaxed);
}

void ClientStreams::Run() {
  // Both are matched by the releases in ServerStream::Tell().
  const uint64_t total = memory_.view.Load(memory_.server_news->total, std::memory_order_acquire);
  if (total == seen_total_.exchange(total, std::memory_order_relaxed)) return;
  memory_.view.Refresh(&memory_.server_news->of_slot[kStreamSlots - 1]);  // the second line
  std::vector<std::shared_ptr<StreamUser>> users;
  {
    absl::MutexLock lock(mu_);
    for (size_t i = 0; i < kStreamSlots; ++i) {
      Slot& slot = slots_[i];
      const uint32_t news = memory_.server_news->of_slot[i].load(std::memory_order_acquire);
      if (std::exchange(slot.seen_news, news) != news && slot.user != nullptr) {
        users.push_back(slot.user);
      }
    }
  }
  for (const std::shared_ptr<StreamUser>& user : users) user->OnNews();
}

void ClientStreams::Rest() {
  std::vector<std::shared_ptr<StreamUser>> users;
  {
    absl::MutexLock lock(mu_);
    if (ended() || !rings_.MayRest()) return;  // later, streams without a user use their rings
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

void ClientStreams::Ended() {
  ended_.store(true, std::memory_order_seq_cst);  // matched by the load in Open(), under mu_
  std::vector<std::shared_ptr<StreamUser>> users;
  {
    absl::MutexLock lock(mu_);
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
