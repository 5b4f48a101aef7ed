// The client's half of RegionNode: finds a name's server, asks it, and looks for its answer.

#include <optional>
#include <utility>

#include "absl/strings/str_cat.h"
#include "grpc_cxl/region/region_allocator.h"
#include "grpc_cxl/region/region_node.h"

namespace grpc_cxl::internal {

absl::StatusOr<RegionNode::Target> RegionNode::FindName(const std::string& name) {
  bool died = false;
  for (uint32_t i = 0; i < region_->hosts(); ++i) {
    // Our own host first; the others in order.
    const uint32_t host = i == 0 ? region_->host() : i <= region_->host() ? i - 1 : i;
    const HostControl& control = region_->control(host);
    if (region_->Load(host, control.words.opened) == 0) continue;
    for (uint32_t j = 0; j < kHostNames; ++j) {
      std::optional<NameRecord> record = ReadName(*region_, host, j);
      if (!record.has_value() || record->text != name) continue;
      std::shared_ptr<PeerLease> owner;
      {
        absl::MutexLock lock(mu_);
        KnownServer& known = servers_[{host, j}];
        if (known.owner == nullptr || known.name_id != record->id) {
          known = {record->id, std::make_shared<PeerLease>(region_, self(), record->owner)};
        }
        owner = known.owner;
      }
      if (!owner->Expired()) return Target{host, j, *std::move(record), std::move(owner)};
      died = true;
    }
  }
  return absl::UnavailableError(died ? absl::StrCat("the server of \"", name, "\" in the region \"",
                                                    region_->path(), "\" is dead")
                                     : absl::StrCat("nobody serves \"", name, "\" in the region \"",
                                                    region_->path(), "\" (GRPC_CXL_REGION)"));
}

uint64_t RegionNode::Connect(const std::string& name, uint32_t features, OnDone on_done) {
  absl::StatusOr<Target> target = FindName(name);
  auto attempt = std::make_shared<Attempt>();
  attempt->on_done = std::move(on_done);
  absl::Status failed = target.status();
  if (target.ok()) {
    attempt->to_host = target->host;
    attempt->server = target->owner;
    const Region::HostLock host_lock(*region_);
    attempt->index = FindFreeRequest(*region_);
    if (attempt->index == kHostRequests) {
      Membership::ClearUpAfterTheDead(*region_, &self());
      attempt->index = FindFreeRequest(*region_);
    }
    if (attempt->index == kHostRequests) {
      failed = absl::ResourceExhaustedError(
          absl::StrCat("host ", region_->host(), " of the region \"", region_->path(), "\" has ",
                       kHostRequests, " connections already, and cannot have more"));
    } else {
      RequestRecord record{.id = 0,
                           .state = RequestState::kOpen,
                           .features = features,
                           .owner = self(),
                           .to_host = target->host,
                           .to_name = target->index,
                           .to_name_id = target->name.id};
      WriteRequest(*region_, attempt->index, record);
      attempt->id = record.id;
      SharedU64& made = region_->mine().words.requests_made;
      // Matched by the load in LookForRequests().
      region_->Store(made, made.load(std::memory_order_relaxed) + 1);
    }
  }
  if (!failed.ok()) {
    attempt->on_done(std::move(failed));
    return 0;
  }
  absl::MutexLock lock(mu_);
  const uint64_t number = next_number_++;
  attempts_.emplace(number, std::move(attempt));
  hurry_ = true;
  return number;
}

bool RegionNode::Cancel(uint64_t number) {
  absl::MutexLock lock(mu_);
  const auto it = attempts_.find(number);
  if (it == attempts_.end()) return false;
  cancelled_.push_back(std::move(it->second));
  attempts_.erase(it);
  hurry_ = true;
  return true;
}

bool RegionNode::LookForAnswers() {
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
    {
      absl::MutexLock lock(mu_);
      if (attempts_.count(number) == 0) continue;  // cancelled meanwhile
    }
    std::optional<absl::StatusOr<RegionOffer>> result = LookForAnswer(*attempt);
    if (!result.has_value()) continue;
    {
      absl::MutexLock lock(mu_);
      // Cancelled just now. With an offer, its connection frees the request.
      if (attempts_.erase(number) == 0) continue;
    }
    if (!result->ok() || (*result)->connection == nullptr) {
      FreeRequest(attempt->index, attempt->id);
    }
    attempt->on_done(*std::move(result));
    found = true;
  }
  return found;
}

std::optional<absl::StatusOr<RegionOffer>> RegionNode::LookForAnswer(Attempt& attempt) {
  // Matched by the stores in Accept() and Refuse().
  const uint64_t made =
      region_->Load(attempt.to_host, region_->control(attempt.to_host).words.answers_made);
  if (made != attempt.answers_seen) {
    attempt.answers_seen = made;
    for (uint32_t i = 0; i < kHostAnswers; ++i) {
      const auto answer = ReadAnswer(*region_, attempt.to_host, i);
      if (!answer.has_value() || answer->to_host != region_->host() ||
          answer->to_request != attempt.index || answer->to_request_id != attempt.id) {
        continue;
      }
      if (answer->state == AnswerState::kRefused) {
        return RegionOffer{.arena = std::nullopt, .connection = nullptr, .answer = *answer};
      }
      if (answer->state == AnswerState::kOffered) return Open(attempt, i, *answer);
    }
  }
  if (!attempt.server->Expired()) return std::nullopt;
  return absl::UnavailableError("the server died before it answered");
}

absl::StatusOr<RegionOffer> RegionNode::Open(const Attempt& attempt, uint32_t index,
                                             const AnswerRecord& answer) {
  absl::StatusOr<Arena> arena =
      region_->MapMemory(attempt.to_host, answer.offset, answer.bytes, /*zero=*/false);
  if (!arena.ok()) return arena.status();
  uint32_t pid = 0;
  if (answer.owner.index < kHostProcesses) {
    const auto server = ReadProcess(*region_, attempt.to_host, answer.owner.index);
    if (server.has_value()) pid = server->pid;
  }
  RegionOffer offer{.arena = *std::move(arena), .connection = nullptr, .answer = answer};
  const RegionConnection::Place place{RegionConnection::Role::kClient,
                                      attempt.index,
                                      attempt.id,
                                      attempt.to_host,
                                      index,
                                      answer.id,
                                      pid};
  offer.connection = MakeConnection(
      place, answer.owner, [self = shared_from_this(), index = attempt.index, id = attempt.id] {
        self->FreeRequest(index, id);
      });
  return offer;
}

void RegionNode::FreeRequest(uint32_t index, uint64_t id) {
  const Region::HostLock host_lock(*region_);
  SharedU64& word = region_->mine().requests[index].id;
  if (word.load(std::memory_order_acquire) != id) return;
  region_->Store(word, uint64_t{0});
}

}  // namespace grpc_cxl::internal
