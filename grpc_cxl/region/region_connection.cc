// SPDX-License-Identifier: Apache-2.0
#include "grpc_cxl/region/region_connection.h"

#include <utility>

#include "absl/log/log.h"
#include "grpc_cxl/base/steady_clock.h"

namespace grpc_cxl::internal {

RegionConnection::RegionConnection(std::shared_ptr<const Region> region, const RegionBeat& beat,
                                   const Place& place, std::function<void()> released)
    : region_(std::move(region)),
      place_(place),
      lease_(region_, beat.self(), place.peer),
      late_(beat.late()),
      late_at_first_(late_->load(std::memory_order_relaxed)),
      released_(std::move(released)) {}

RegionConnection::~RegionConnection() {
  Close();
  const absl::Status flushed =
      region_->FlushMemory(place_.memory_host, place_.memory_offset, place_.memory_bytes);
  if (!flushed.ok()) {
    LOG(ERROR) << "memory of the region \"" << region_->path() << "\" cannot be flushed and stays "
               << "in use until this process ends: " << flushed;
    return;
  }
  released_();
}

bool RegionConnection::PeerGone() {
  // relaxed: flags and a time of this process that order nothing else.
  if (gone_.load(std::memory_order_relaxed)) return true;
  const int64_t now = SteadyNs();
  if (now < next_look_ns_.load(std::memory_order_relaxed)) return false;
  next_look_ns_.store(now + absl::ToInt64Nanoseconds(kLookInterval), std::memory_order_relaxed);
  if (!Look()) return false;
  gone_.store(true, std::memory_order_relaxed);
  return true;
}

bool RegionConnection::Look() {
  // relaxed: see RegionBeat::BeatIfDue().
  if (late_->load(std::memory_order_relaxed) != late_at_first_) return true;
  // Id and state share a line, so the first load brings both. Matched by the stores of WriteEntry()
  // and Close().
  if (place_.role == Role::kClient) {
    const AnswerEntry& entry = region_->control(peer_host()).answers[place_.peer_index];
    if (region_->Load(peer_host(), entry.id) != place_.peer_id ||
        entry.state.load(std::memory_order_acquire) !=
            static_cast<uint32_t>(AnswerState::kOffered)) {
      return true;
    }
  } else {
    const RequestEntry& entry = region_->control(peer_host()).requests[place_.peer_index];
    if (region_->Load(peer_host(), entry.id) != place_.peer_id ||
        entry.state.load(std::memory_order_acquire) != static_cast<uint32_t>(RequestState::kOpen)) {
      return true;
    }
  }
  return lease_.Expired();
}

void RegionConnection::Close() {
  // Lets one thread pass; the Store() below is matched by the peer's Look().
  if (closed_.exchange(true, std::memory_order_acq_rel)) return;
  if (place_.role == Role::kClient) {
    region_->Store(region_->mine().requests[place_.my_index].state,
                   static_cast<uint32_t>(RequestState::kClosed));
  } else {
    region_->Store(region_->mine().answers[place_.my_index].state,
                   static_cast<uint32_t>(AnswerState::kClosed));
  }
}

}  // namespace grpc_cxl::internal
