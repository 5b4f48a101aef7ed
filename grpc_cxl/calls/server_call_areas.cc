// SPDX-License-Identifier: Apache-2.0
#include "grpc_cxl/calls/server_call_areas.h"

#include <algorithm>
#include <utility>

#include "absl/log/check.h"
#include "grpc_cxl/base/steady_clock.h"

namespace grpc_cxl::internal {
namespace {

constexpr int64_t kRetryNs = 100'000'000;

}  // namespace

ServerCallAreas::ServerCallAreas(absl::Span<char> memory, size_t buffer_bytes, size_t count,
                                 std::shared_ptr<CallBudget> budget,
                                 std::function<void()> wake_peer, SharedView view, ArenaPages pages,
                                 CallServerPlaces look)
    : memory_(memory),
      buffer_bytes_(buffer_bytes),
      count_(count),
      budget_(std::move(budget)),
      wake_peer_(std::move(wake_peer)),
      view_(view),
      pages_(pages),
      look_(look) {
  CHECK(count >= 1 && count <= kMostCallAreas);
  CHECK_GE(memory.size(), count * CallAreaBytes(buffer_bytes));
  areas_[0] = MakeArea(0);
}

std::unique_ptr<ServerCalls> ServerCallAreas::MakeArea(size_t i) const {
  const size_t bytes = CallAreaBytes(buffer_bytes_);
  return std::make_unique<ServerCalls>(memory_.subspan(i * bytes, bytes), buffer_bytes_, wake_peer_,
                                       view_, pages_, i == 0 ? nullptr : budget_,
                                       i == 0 ? look_ : CallServerPlaces());
}

void ServerCallAreas::SetAccepting(bool accepting) {
  absl::MutexLock lock(mu_);
  accepting_ = accepting;
  for (size_t i = 0; i < open(); ++i) areas_[i]->SetAccepting(accepting);
}

bool ServerCallAreas::Ready() const {
  // relaxed: a hint; OpenMore() loads the word again, with acquire. Where memory is not coherent
  // there is one area, and the word says nothing.
  if (count_ > 1 && words().more_areas.load(std::memory_order_relaxed) >
                        seen_more_.load(std::memory_order_relaxed)) {
    return true;
  }
  const size_t areas = open();
  for (size_t i = 0; i < areas; ++i) {
    if (areas_[i]->Ready()) return true;
  }
  return false;
}

ServerCalls::News ServerCallAreas::Run(absl::FunctionRef<bool(Priority)> has_room) {
  absl::Status opened = OpenMore();
  ServerCalls::News news = areas_[0]->Run(has_room);
  news.status.Update(opened);
  const size_t areas = open();
  for (size_t i = 1; i < areas; ++i) {
    if (!areas_[i]->Ready()) continue;
    const int first = static_cast<int>(i * kCallSlots);
    ServerCalls::News more = areas_[i]->Run(has_room);
    for (ServerCalls::TakenCall& call : more.taken) {
      call.id.slot += first;
      news.taken.push_back(std::move(call));
    }
    for (auto list : {&ServerCalls::News::cancelled, &ServerCalls::News::waiting,
                      &ServerCalls::News::withdrawn}) {
      for (ServerCalls::CallId& call : more.*list) {
        call.slot += first;
        (news.*list).push_back(call);
      }
    }
    news.refused += more.refused;
    news.status.Update(more.status);
  }
  return news;
}

std::optional<ServerCalls::TakenCall> ServerCallAreas::TakeWaiting(ServerCalls::CallId call) {
  const int slot = call.slot;
  ServerCalls& area = Of(&call);
  std::optional<ServerCalls::TakenCall> taken = area.TakeWaiting(call);
  if (taken.has_value()) taken->id.slot = slot;
  return taken;
}

bool ServerCallAreas::Refuse(ServerCalls::CallId call) {
  ServerCalls& area = Of(&call);
  return area.Refuse(call);
}

absl::Status ServerCallAreas::OpenMore() {
  if (count_ == 1) return absl::OkStatus();
  // Matched by the release store in ClientCallAreas::Open().
  const uint32_t more = words().more_areas.load(std::memory_order_acquire);
  // A smaller number than before says nothing.
  const uint32_t wanted = std::max(more, seen_more_.load(std::memory_order_relaxed));
  if (wanted < open()) return absl::OkStatus();
  if (wanted >= count_) {
    return absl::DataLossError(
        "the client broke the protocol of direct calls: it uses more call areas than there are");
  }
  absl::MutexLock lock(mu_);
  seen_more_.store(wanted, std::memory_order_relaxed);
  const int64_t now = SteadyNs();
  if (refused_ns_ != 0 && now - refused_ns_ < kRetryNs) return absl::OkStatus();
  refused_ns_ = 0;
  while (open() <= wanted) {
    if (Open(open())) continue;
    refused_ns_ = now;
    break;
  }
  return absl::OkStatus();
}

bool ServerCallAreas::Open(size_t i) {
  if (!budget_->Take(kCallBuffersAt)) return false;
  auto area = MakeArea(i);
  if (!area->ReserveAllWords().ok()) {
    budget_->Give(kCallBuffersAt);
    return false;
  }
  areas_[i] = std::move(area);
  open_.store(i + 1, std::memory_order_release);  // matched by open()
  // Then: the client may post as soon as it sees this, and somebody must look.
  areas_[i]->SetAccepting(accepting_);
  return true;
}

void ServerCallAreas::Respond(ServerCalls::CallId call, std::string response) {
  ServerCalls& area = Of(&call);
  area.Respond(call, std::move(response));
}

void ServerCallAreas::Drop(ServerCalls::CallId call) {
  ServerCalls& area = Of(&call);
  area.Drop(call);
}

uint64_t ServerCallAreas::calls_seen() const {
  uint64_t calls = 0;
  for (size_t i = 0; i < open(); ++i) calls += areas_[i]->calls_seen();
  return calls;
}

void ServerCallAreas::FillStatus(StatusConnection* entry) const {
  entry->calls = calls_seen();
  entry->calls_running = running();
  for (size_t i = 0; i < open(); ++i) {
    entry->call_bytes_out += areas_[i]->bytes_out();
    entry->call_bytes_in += areas_[i]->bytes_in();
  }
}

int ServerCallAreas::busy() const {
  int busy = 0;
  for (size_t i = 0; i < open(); ++i) busy += areas_[i]->busy();
  return busy;
}

int ServerCallAreas::running() const {
  int running = 0;
  for (size_t i = 0; i < open(); ++i) running += areas_[i]->running();
  return running;
}

}  // namespace grpc_cxl::internal
