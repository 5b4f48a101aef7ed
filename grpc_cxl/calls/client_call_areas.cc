// SPDX-License-Identifier: Apache-2.0
#include "grpc_cxl/calls/client_call_areas.h"

#include <utility>

#include "absl/log/check.h"
#include "grpc_cxl/base/steady_clock.h"

namespace grpc_cxl::internal {
namespace {

const WaitTerms kPark{.policy = WaitPolicy::kPark};
constexpr int64_t kRetryNs = 100'000'000;

}  // namespace

ClientCallAreas::ClientCallAreas(absl::Span<char> memory, size_t buffer_bytes, size_t count,
                                 std::function<void()> wake_peer, SharedView view, bool polls,
                                 SpinBudget spin, ArenaPages pages, CallClientPlaces look)
    : memory_(memory),
      buffer_bytes_(buffer_bytes),
      count_(count),
      wake_peer_(std::move(wake_peer)),
      view_(view),
      polls_(polls),
      spin_(std::move(spin)),
      pages_(pages),
      look_(look) {
  CHECK(count >= 1 && count <= kMostCallAreas);
  CHECK_GE(memory.size(), count * CallAreaBytes(buffer_bytes));
  areas_[0] = MakeArea(0);
}

std::unique_ptr<ClientCalls> ClientCallAreas::MakeArea(size_t i) {
  const size_t bytes = CallAreaBytes(buffer_bytes_);
  return std::make_unique<ClientCalls>(memory_.subspan(i * bytes, bytes), buffer_bytes_, wake_peer_,
                                       view_, polls_, i == 0 ? spin_ : SpinBudget(kPark), pages_,
                                       &numbers_, i == 0 ? look_ : CallClientPlaces());
}

size_t ClientCallAreas::usable() const {
  const size_t areas = open();
  size_t usable = 1;
  while (usable < areas && areas_[usable]->Accepting()) ++usable;
  return usable;
}

int ClientCallAreas::Acquire() {
  const size_t areas = open();
  for (size_t i = 0; i < areas; ++i) {
    // Nobody looks at an area that the server has not opened.
    if (i > 0 && !areas_[i]->Accepting()) break;
    const int slot = areas_[i]->Acquire();
    if (slot < 0) continue;
    // The lowest free slot: the area is half full.
    if (i + 1 == areas && slot >= static_cast<int>(kCallSlots / 2)) Open(i + 1);
    return static_cast<int>(i * kCallSlots) + slot;
  }
  return -1;
}

void ClientCallAreas::Open(size_t i) {
  if (i >= count_) return;
  const int64_t now = SteadyNs();
  const int64_t refused_ns = refused_ns_.load(std::memory_order_relaxed);
  if (refused_ns != 0 && now - refused_ns < kRetryNs) return;
  absl::MutexLock lock(mu_);
  if (closed_ || i != open_.load(std::memory_order_relaxed)) return;
  const size_t at = i * CallAreaBytes(buffer_bytes_);
  if (!pages_.Reserve(memory_.subspan(at, kCallWordsBytes)).ok()) {
    refused_ns_.store(now, std::memory_order_relaxed);
    return;
  }
  areas_[i] = MakeArea(i);
  open_.store(i + 1, std::memory_order_release);  // matched by open()
  // Matched by the acquire load in ServerCallAreas::OpenMore(). Only where memory is coherent:
  // elsewhere there is one area.
  reinterpret_cast<CallClientWords*>(memory_.data())
      ->more_areas.store(static_cast<uint32_t>(i), std::memory_order_release);
  wake_peer_();
}

int ClientCallAreas::TakeBack(const std::function<void()>& freed) {
  const size_t areas = open();
  int taken_back = 0;
  for (size_t i = 0; i < areas; ++i) taken_back += areas_[i]->TakeBack(freed);
  return taken_back;
}

void ClientCallAreas::FreeUnwanted() {
  const size_t areas = open();
  for (size_t i = 0; i < areas; ++i) areas_[i]->FreeUnwanted();
}

bool ClientCallAreas::Ready() const {
  const size_t areas = open();
  for (size_t i = 0; i < areas; ++i) {
    if (areas_[i]->Ready()) return true;
  }
  return false;
}

absl::Status ClientCallAreas::Run() {
  const size_t areas = open();
  absl::Status status;
  for (size_t i = 0; i < areas; ++i) {
    if (i == 0 || areas_[i]->Ready()) status.Update(areas_[i]->Run());
  }
  return status;
}

void ClientCallAreas::Retire() {
  absl::MutexLock lock(mu_);
  closed_ = true;
  for (size_t i = 0; i < open(); ++i) areas_[i]->Retire();
}

void ClientCallAreas::Ended() {
  {
    absl::MutexLock lock(mu_);
    closed_ = true;
  }
  for (size_t i = 0; i < open(); ++i) areas_[i]->Ended();  // runs callbacks
}

int ClientCallAreas::busy() const {
  int busy = 0;
  for (size_t i = 0; i < open(); ++i) busy += areas_[i]->busy();
  return busy;
}

uint64_t ClientCallAreas::posts() const {
  uint64_t posts = 0;
  for (size_t i = 0; i < open(); ++i) posts += areas_[i]->posts();
  return posts;
}

void ClientCallAreas::FillStatus(StatusConnection* entry) const {
  entry->calls = posts();
  entry->calls_running = busy();
  for (size_t i = 0; i < open(); ++i) {
    entry->call_bytes_out += areas_[i]->bytes_out();
    entry->call_bytes_in += areas_[i]->bytes_in();
  }
}

void ClientCallAreas::Rest() {
  for (size_t i = 0; i < open(); ++i) areas_[i]->Rest();
}

bool ClientCallAreas::MayRest() const {
  for (size_t i = 0; i < open(); ++i) {
    if (areas_[i]->MayRest()) return true;
  }
  return false;
}

}  // namespace grpc_cxl::internal
