// SPDX-License-Identifier: Apache-2.0
#include "grpc_cxl/direct/served_streams.h"

#include <optional>
#include <utility>
#include <vector>

#include "grpc_cxl/base/steady_clock.h"
#include "grpc_cxl/direct/call_counters.h"
#include "grpc_cxl/direct/call_place.h"

namespace grpc_cxl::internal {
namespace {

// The place of a stream whose handler holds none.
class Place {
 public:
  Place(std::shared_ptr<CallCapacity> capacity, Priority priority)
      : capacity_(std::move(capacity)), priority_(priority) {}
  Place(const Place&) = delete;
  Place& operator=(const Place&) = delete;
  ~Place() { capacity_->Leave(priority_); }

 private:
  const std::shared_ptr<CallCapacity> capacity_;
  const Priority priority_;
};

}  // namespace

ServedStreams::ServedStreams(std::unique_ptr<ServerStreams> streams,
                             std::shared_ptr<CallCapacity> capacity,
                             std::function<std::shared_ptr<ServedStreams>()> self, Begin begin,
                             std::function<void()> tell, std::function<void()> over)
    : streams_(std::move(streams)),
      capacity_(std::move(capacity)),
      self_(std::move(self)),
      begin_(std::move(begin)),
      tell_(std::move(tell)),
      over_(std::move(over)) {}

ServedStreams::~ServedStreams() {
  absl::MutexLock lock(mu_);
  for (const auto& [priority, streams] : waiting_) {
    capacity_->AddWaitingCalls(-static_cast<int64_t>(streams.size()));
  }
}

absl::Status ServedStreams::Run() {
  ServerStreams::News news =
      streams_->Run([this](Priority priority) { return capacity_->Enter(priority); },
                    [this](std::unique_ptr<ServerStream> stream, Priority priority) {
                      return Take(std::move(stream), priority, /*waited_ns=*/0);
                    });
  if (!news.waiting.empty() || !news.withdrawn.empty()) Wait(news);
  return std::move(news.status);
}

std::shared_ptr<StreamUser> ServedStreams::Take(std::unique_ptr<ServerStream> stream,
                                                Priority priority, uint64_t waited_ns) {
  StreamTerms terms{nullptr, "", waited_ns, &figures_};
  if (capacity_->limit() != 0 && capacity_->HandlersHold()) {
    std::shared_ptr<CallPlace> place = CallPlace::Make(capacity_, priority);
    terms.place_name = place->name();
    // Its last user tells: a stream without a handler has no holder that would do so.
    CallPlace* const raw = place.get();
    terms.place = std::shared_ptr<void>(raw, [place = std::move(place)](void*) mutable {
      const std::shared_ptr<CallCapacity> capacity = place->capacity();
      place = nullptr;
      capacity->BeginWaiting();
    });
  } else {
    terms.place = std::make_shared<Place>(capacity_, priority);
  }
  std::shared_ptr<StreamUser> user = begin_(std::move(stream), std::move(terms));
  if (user == nullptr) return nullptr;
  ServedCounters::OfProcess().streams.Add();
  figures_.streams.Add();
  tell_();
  return user;
}

void ServedStreams::Wait(const ServerStreams::News& news) {
  const int64_t now = SteadyNs();
  std::map<Priority, int64_t> come_in_turn;
  {
    absl::MutexLock lock(mu_);
    for (const ServerStreams::Waiting& stream : news.waiting) {
      waiting_[stream.priority].push_back({stream, now});
      capacity_->AddWaitingCalls(1);
      waiting_count_.fetch_add(1, std::memory_order_relaxed);
    }
    for (const ServerStreams::Waiting& gone : news.withdrawn) {
      const size_t erased = std::erase_if(waiting_[gone.priority], [&gone](const Waiting& waiting) {
        return waiting.stream.slot == gone.slot && waiting.stream.generation == gone.generation;
      });
      capacity_->AddWaitingCalls(-static_cast<int64_t>(erased));
      waiting_count_.fetch_sub(erased, std::memory_order_relaxed);
    }
    for (const auto& [priority, streams] : waiting_) {
      if (streams.empty() || !in_turn_.insert(priority).second) continue;
      come_in_turn[priority] = streams.front().seen_ns;
    }
  }
  if (retired_) return RefuseWaiting();  // it may have looked too early
  for (const auto& [priority, since_ns] : come_in_turn) {
    capacity_->Wait(self_(), priority, since_ns);
  }
  tell_();
}

CallCapacity::Connection::Begun ServedStreams::BeginNext(Priority priority) {
  for (;;) {
    std::optional<Waiting> next;
    Begun begun{.one = true};
    {
      absl::MutexLock lock(mu_);
      std::deque<Waiting>& streams = waiting_[priority];
      if (!streams.empty()) {
        next = streams.front();
        streams.pop_front();
        capacity_->AddWaitingCalls(-1);
        waiting_count_.fetch_sub(1, std::memory_order_relaxed);
      }
      begun.more = !streams.empty();
      if (begun.more) {
        begun.since_ns = streams.front().seen_ns;
      } else {
        in_turn_.erase(priority);
      }
    }
    if (!next.has_value()) return {};
    const auto waited_ns = static_cast<uint64_t>(SteadyNs() - next->seen_ns);
    const bool taken = streams_->TakeWaiting(
        next->stream, [&](std::unique_ptr<ServerStream> stream, Priority its) {
          return Take(std::move(stream), its, waited_ns);
        });
    over_();
    if (taken) return begun;
    if (!begun.more) return {};
  }
}

void ServedStreams::Retire() {
  retired_ = true;
  streams_->SetAccepting(false);
  RefuseWaiting();
}

void ServedStreams::RefuseWaiting() {
  std::map<Priority, std::deque<Waiting>> waiting;
  {
    absl::MutexLock lock(mu_);
    waiting.swap(waiting_);
    for (const auto& [priority, streams] : waiting) {
      capacity_->AddWaitingCalls(-static_cast<int64_t>(streams.size()));
    }
    waiting_count_.store(0, std::memory_order_relaxed);
  }
  for (const auto& [priority, streams] : waiting) {
    for (const Waiting& stream : streams) streams_->Refuse(stream.stream);
  }
}

void ServedStreams::Ended() {
  streams_->Ended();
  RefuseWaiting();
}

void ServedStreams::FillStatus(StatusConnection* entry) const {
  figures_.Fill(entry);
  entry->streams_running = static_cast<uint64_t>(streams_->running());
  entry->streams_waiting = waiting_count_.load(std::memory_order_relaxed);
  const BytesThroughRings bytes = streams_->bytes();
  entry->stream_bytes_out = bytes.out;
  entry->stream_bytes_in = bytes.in;
}

}  // namespace grpc_cxl::internal
