// SPDX-License-Identifier: Apache-2.0
#include "grpc_cxl/region/region_answers.h"

#include <utility>

#include "grpc_cxl/region/dead_processes.h"
#include "grpc_cxl/region/membership.h"
#include "grpc_cxl/region/region_allocator.h"

namespace grpc_cxl::internal {

RegionAnswers::RegionAnswers(std::shared_ptr<const Region> region, const RegionBeat& beat)
    : region_(std::move(region)), beat_(beat) {}

AnswerRecord RegionAnswers::AnswerTo(const RegionRequest& request, AnswerRecord terms) const {
  terms.owner = beat_.self();
  terms.to_host = request.record.owner.host;
  terms.to_request = request.index;
  terms.to_request_id = request.record.id;
  return terms;
}

void RegionAnswers::Announce() {
  // Matched by the load in RegionConnector::FindAnswer().
  SharedU64& made = region_->mine().words.answers_made;
  region_->Store(made, made.load(std::memory_order_relaxed) + 1);
}

absl::StatusOr<RegionOffer> RegionAnswers::Accept(const RegionRequest& request, size_t bytes,
                                                  const AnswerRecord& terms,
                                                  std::shared_ptr<void> keep) {
  RegionOffer offer{
      .connection = nullptr, .arena = std::nullopt, .answer = AnswerTo(request, terms)};
  AnswerRecord& answer = offer.answer;
  uint32_t index;
  {
    const Region::HostLock host_lock(*region_);
    ClearUpAfterTheDead(*region_, &beat_.self());
    absl::StatusOr<uint32_t> reserved = ReserveMemory(*region_, bytes, answer);
    if (!reserved.ok()) return reserved.status();
    index = *reserved;
    absl::MutexLock lock(mu_);
    live_.insert(answer.id);
  }
  const RegionConnection::Place place{.role = RegionConnection::Role::kServer,
                                      .self = beat_.self(),
                                      .my_index = index,
                                      .my_id = answer.id,
                                      .peer_index = request.index,
                                      .peer_id = request.record.id,
                                      .peer = request.record.owner,
                                      .peer_pid = request.pid,
                                      .memory_host = region_->host(),
                                      .memory_offset = answer.offset,
                                      .memory_bytes = answer.bytes};
  // From here on the connection gives the memory back.
  offer.connection = std::make_shared<RegionConnection>(
      region_, beat_, place, [this, keep = std::move(keep), id = answer.id] {
        absl::MutexLock lock(mu_);
        live_.erase(id);
      });
  if (offer.connection->PeerGone()) {
    return absl::UnavailableError("the client gave up before it had an answer");
  }
  const std::shared_ptr<Fence> fence = offer.connection->fence();
  absl::StatusOr<Arena> arena =
      region_->MapZeroed(region_->host(), answer.offset, answer.bytes, fence);
  if (!arena.ok()) return arena.status();
  offer.arena = *std::move(arena);
  if (!fence->Holds()) return NoLongerOurs();
  // Publishes the zeroed memory; matched by the client's ReadAnswer().
  region_->Store(region_->mine().answers[index].state,
                 static_cast<uint32_t>(AnswerState::kOffered));
  const Region::HostLock host_lock(*region_);
  Announce();
  return offer;
}

void RegionAnswers::Refuse(const RegionRequest& request, uint32_t refusal,
                           const std::string& reason) {
  AnswerRecord answer = AnswerTo(request, {});
  answer.state = AnswerState::kRefused;
  answer.refusal = refusal;
  answer.reason = reason.substr(0, kReasonWords * sizeof(uint64_t) - 1);
  const Region::HostLock host_lock(*region_);
  const uint32_t index = FindFreeAnswer(*region_);
  if (index == kHostAnswers) return;  // the client hears nothing, and gives up in time
  WriteAnswer(*region_, index, answer);
  Announce();
}

bool RegionAnswers::IsOwnerUsing(const AnswerRecord& answer) {
  if (answer.owner == beat_.self()) {
    absl::MutexLock lock(mu_);
    return live_.count(answer.id) != 0;
  }
  return MayLive(*region_, answer.owner);
}

bool RegionAnswers::IsClientUsing(const AnswerRecord& answer) {
  if (answer.to_host >= region_->hosts() || answer.to_request >= kHostRequests) return false;
  // Also a client that is silent: it may only be stopped. Matched by the stores that free a
  // request.
  const SharedU64& id = region_->control(answer.to_host).requests[answer.to_request].id;
  const uint64_t now = region_->Load(answer.to_host, id);
  if (now == answer.to_request_id) return true;
  // A damaged one acknowledges nothing: its owner mends it, or its host clears it away.
  return now != 0 && !ReadRequest(*region_, answer.to_host, answer.to_request).has_value();
}

void RegionAnswers::FreeUnused() {
  // Without a wait: a process that is stopped with the lock shall not stop this one.
  if (region_->IsGivenUp() || !region_->TryLockHost()) return;
  Membership::MendEntries(*region_, beat_.self());
  ClearUpAfterTheDead(*region_, &beat_.self());
  for (uint32_t i = 0; i < kHostAnswers; ++i) {
    const auto answer = ReadAnswer(*region_, region_->host(), i);
    if (!answer.has_value() || IsOwnerUsing(*answer)) continue;
    AnswerEntry& entry = region_->mine().answers[i];
    if (!IsClientUsing(*answer)) {
      region_->Free(entry.id);
    } else if (answer->owner == beat_.self() && answer->state == AnswerState::kOffered) {
      // It was damaged when its connection ended, and could not be closed. Matched by the client's
      // PeerStands().
      region_->Store(entry.state, static_cast<uint32_t>(AnswerState::kClosed));
    }
  }
  region_->UnlockHost();
}

}  // namespace grpc_cxl::internal
