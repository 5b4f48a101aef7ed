// SPDX-License-Identifier: Apache-2.0
#include "grpc_cxl/region/region_connection.h"

#include <utility>

#include "absl/log/log.h"
#include "grpc_cxl/base/steady_clock.h"
#include "grpc_cxl/region/membership.h"

namespace grpc_cxl::internal {

// Id and state of an entry share a line, so the first load brings both. They are matched by the
// stores of WriteEntry() and Close().
bool RegionFence::PeerStands() const {
  const uint32_t host = place_.peer.host;
  if (place_.role == RegionPlace::Role::kClient) {
    const AnswerEntry& entry = region_->control(host).answers[place_.peer_index];
    return region_->Load(host, entry.id) == place_.peer_id &&
           entry.state.load(std::memory_order_acquire) ==
               static_cast<uint32_t>(AnswerState::kOffered);
  }
  const RequestEntry& entry = region_->control(host).requests[place_.peer_index];
  return region_->Load(host, entry.id) == place_.peer_id &&
         entry.state.load(std::memory_order_acquire) == static_cast<uint32_t>(RequestState::kOpen);
}

bool RegionFence::OwnEntryStands() const {
  // Its id may only be damaged.
  return OwnEntryIsWhole() ||
         (!OwnEntryIsLost() && Membership::TryMendEntries(*region_, place_.self) &&
          OwnEntryIsWhole());
}

const SharedU64& RegionFence::OwnId() const {
  const HostControl& mine = region_->mine();
  return place_.role == RegionPlace::Role::kClient ? mine.requests[place_.my_index].id
                                                   : mine.answers[place_.my_index].id;
}

bool RegionFence::OwnEntryIsWhole() const {
  // Plain loads: other processes of this host see each other's stores, and RegionBeat finds other
  // machines.
  return !region_->IsGivenUp() && OwnId().load(std::memory_order_acquire) == place_.my_id &&
         region_->mine().processes[place_.self.index].incarnation.load(std::memory_order_acquire) ==
             place_.self.incarnation;
}

bool RegionFence::OwnEntryIsLost() const {
  return !region_->own_entries().Has(OwnId(), place_.my_id) ||
         !Membership::IsOwn(*region_, place_.self);
}

RegionConnection::RegionConnection(std::shared_ptr<const Region> region, const RegionBeat& beat,
                                   const Place& place, std::function<void()> released)
    : region_(std::move(region)),
      place_(place),
      lease_(region_, beat.self(), place.peer),
      fence_(std::make_shared<RegionFence>(region_, place, beat.times())),
      released_(std::move(released)) {}

RegionConnection::~RegionConnection() {
  Close();
  // Not what is another's by now: our lines would overwrite its own.
  const absl::Status flushed =
      fence_->OwnEntryIsLost()
          ? absl::OkStatus()
          : region_->FlushMemory(place_.memory_host, place_.memory_offset, place_.memory_bytes);
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
  // An entry that is damaged while another has the host's lock is mended later: at the next look,
  // or by RegionAnswers::FreeUnused().
  const bool lost = !fence_->OwnEntryStands() && fence_->OwnEntryIsLost();
  if (!lost && fence_->PeerStands() && !lease_.Expired()) return false;
  gone_.store(true, std::memory_order_relaxed);
  return true;
}

void RegionConnection::Close() {
  // Lets one thread pass; the Store() below is matched by the peer's PeerStands().
  if (closed_.exchange(true, std::memory_order_acq_rel) || !fence_->OwnEntryStands()) return;
  if (place_.role == Role::kClient) {
    region_->Store(region_->mine().requests[place_.my_index].state,
                   static_cast<uint32_t>(RequestState::kClosed));
  } else {
    region_->Store(region_->mine().answers[place_.my_index].state,
                   static_cast<uint32_t>(AnswerState::kClosed));
  }
}

}  // namespace grpc_cxl::internal
