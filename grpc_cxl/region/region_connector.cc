// SPDX-License-Identifier: Apache-2.0
#include "grpc_cxl/region/region_connector.h"

#include "absl/strings/str_cat.h"
#include "grpc_cxl/region/dead_processes.h"
#include "grpc_cxl/region/membership.h"
#include "grpc_cxl/region/region_allocator.h"

namespace grpc_cxl::internal {

RegionConnector::RegionConnector(std::shared_ptr<const Region> region, const RegionBeat& beat)
    : region_(std::move(region)), beat_(beat), servers_(region_, beat.self()) {}

RegionConnector::~RegionConnector() {
  for (const auto& attempt : cancelled_) FreeRequest(attempt->index, attempt->id);
  for (const auto& [number, attempt] : attempts_) FreeRequest(attempt->index, attempt->id);
}

absl::StatusOr<std::shared_ptr<RegionConnector::Attempt>> RegionConnector::Ask(
    const RegionServer& server, uint32_t features) {
  const Region::HostLock host_lock(*region_);
  uint32_t index = FindFreeRequest(*region_);
  if (index == kHostRequests) {
    ClearUpAfterTheDead(*region_, &beat_.self());
    index = FindFreeRequest(*region_);
  }
  if (index == kHostRequests) {
    return absl::ResourceExhaustedError(absl::StrCat("host ", region_->host(), " of the region \"",
                                                     region_->path(), "\" has ", kHostRequests,
                                                     " connections already, and cannot have more"));
  }
  RequestRecord record{.id = 0,
                       .state = RequestState::kOpen,
                       .features = features,
                       .owner = beat_.self(),
                       .to_host = server.host,
                       .to_name = server.index,
                       .to_name_id = server.name_id};
  WriteRequest(*region_, index, record);
  SharedU64& made = region_->mine().words.requests_made;
  // Matched by the load in RegionListener::LookAt().
  region_->Store(made, made.load(std::memory_order_relaxed) + 1);
  return std::make_shared<Attempt>(Attempt{index, record.id, server, UINT64_MAX, nullptr});
}

uint64_t RegionConnector::Connect(const std::string& name, uint32_t features, OnDone on_done) {
  const absl::StatusOr<RegionServer> server = servers_.Find(name);
  absl::StatusOr<std::shared_ptr<Attempt>> attempt =
      server.ok() ? Ask(*server, features) : server.status();
  if (!attempt.ok()) {
    on_done(attempt.status());
    return 0;
  }
  (*attempt)->on_done = std::move(on_done);
  absl::MutexLock lock(mu_);
  const uint64_t number = next_number_++;
  attempts_.emplace(number, *std::move(attempt));
  return number;
}

bool RegionConnector::Cancel(uint64_t number) {
  absl::MutexLock lock(mu_);
  const auto it = attempts_.find(number);
  if (it == attempts_.end()) return false;
  cancelled_.push_back(std::move(it->second));
  attempts_.erase(it);
  return true;
}

bool RegionConnector::IsConnecting() {
  absl::MutexLock lock(mu_);
  return !attempts_.empty();
}

bool RegionConnector::LookForAnswers(const std::weak_ptr<void>& keep) {
  std::map<uint64_t, std::shared_ptr<Attempt>> attempts;
  std::vector<std::shared_ptr<Attempt>> cancelled;
  {
    absl::MutexLock lock(mu_);
    attempts = attempts_;
    cancelled.swap(cancelled_);
  }
  for (const auto& attempt : cancelled) FreeRequest(attempt->index, attempt->id);
  bool found = false;
  for (const auto& [number, attempt] : attempts) {
    const std::optional<absl::StatusOr<Answer>> answer = FindAnswer(*attempt);
    if (!answer.has_value()) continue;
    {
      absl::MutexLock lock(mu_);
      if (attempts_.erase(number) == 0) continue;  // cancelled meanwhile
    }
    absl::StatusOr<RegionOffer> result =
        answer->ok() ? Open(*attempt, **answer, keep) : answer->status();
    // A connection frees its request itself.
    if (!result.ok() || result->connection == nullptr) FreeRequest(attempt->index, attempt->id);
    attempt->on_done(std::move(result));
    found = true;
  }
  return found;
}

std::optional<absl::StatusOr<RegionConnector::Answer>> RegionConnector::FindAnswer(
    Attempt& attempt) {
  const uint32_t host = attempt.server.host;
  // Matched by the store in RegionAnswers::Announce().
  const uint64_t made = region_->Load(host, region_->control(host).words.answers_made);
  if (made != attempt.answers_seen) {
    attempt.answers_seen = made;
    for (uint32_t i = 0; i < kHostAnswers; ++i) {
      auto answer = ReadAnswer(*region_, host, i);
      if (!answer.has_value() || answer->to_host != region_->host() ||
          answer->to_request != attempt.index || answer->to_request_id != attempt.id) {
        continue;
      }
      if (answer->state == AnswerState::kRefused || answer->state == AnswerState::kOffered) {
        return Answer{i, *std::move(answer)};
      }
    }
  }
  if (!attempt.server.lease->Expired()) return std::nullopt;
  return absl::UnavailableError("the server died before it answered; the channel tries again");
}

absl::StatusOr<RegionOffer> RegionConnector::Open(const Attempt& attempt, const Answer& answer,
                                                  const std::weak_ptr<void>& keep) {
  const AnswerRecord& record = answer.record;
  RegionOffer offer{.connection = nullptr, .arena = std::nullopt, .answer = record};
  if (record.state == AnswerState::kRefused) return offer;
  absl::StatusOr<Arena> arena =
      region_->MapMemory(attempt.server.host, record.offset, record.bytes);
  if (!arena.ok()) return arena.status();
  const RegionConnection::Place place{.role = RegionConnection::Role::kClient,
                                      .self = beat_.self(),
                                      .my_index = attempt.index,
                                      .my_id = attempt.id,
                                      .peer_index = answer.index,
                                      .peer_id = record.id,
                                      .peer = record.owner,
                                      .peer_pid = PidOf(*region_, record.owner),
                                      .memory_host = attempt.server.host,
                                      .memory_offset = record.offset,
                                      .memory_bytes = record.bytes};
  std::shared_ptr<void> kept = keep.lock();
  if (kept == nullptr) {
    return absl::UnavailableError("this process is shutting down; no connection was made");
  }
  offer.arena = *std::move(arena);
  offer.connection =
      std::make_shared<RegionConnection>(region_, beat_, place,
                                         [this, kept = std::move(kept), index = attempt.index,
                                          id = attempt.id] { FreeRequest(index, id); });
  return offer;
}

void RegionConnector::FreeRequest(uint32_t index, uint64_t id) {
  Membership::FreeOwn(*region_, beat_.self(), region_->mine().requests[index].id, id);
}

}  // namespace grpc_cxl::internal
