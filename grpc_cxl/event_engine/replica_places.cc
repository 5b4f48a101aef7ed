// SPDX-License-Identifier: Apache-2.0
#include "grpc_cxl/event_engine/replica_places.h"

#include <algorithm>
#include <utility>

#include "absl/strings/match.h"

namespace grpc_cxl::internal {
namespace {

using Clock = ReplicaPlaces::Clock;

// A connection that lasts so long is a success.
constexpr auto kLasting = std::chrono::seconds(10);

Clock::duration Pause(int failures, bool declines) {
  const Clock::duration first =
      declines ? Clock::duration(std::chrono::seconds(1)) : std::chrono::milliseconds(50);
  const Clock::duration longest = declines ? std::chrono::seconds(256) : std::chrono::seconds(16);
  return std::min(first * (1 << std::min(failures, 10)), longest);
}

}  // namespace

void ReplicaPlaces::Carry(const std::string& name) {
  Place& place = places_[name];
  ++place.carried;
  if (place.state == Place::State::kHeld) place.state = Place::State::kNothing;
}

void ReplicaPlaces::Leave(const std::string& name) { --places_[name].carried; }

bool ReplicaPlaces::AnyCarried(absl::string_view begin) const {
  return std::any_of(places_.begin(), places_.end(), [begin](const auto& entry) {
    return entry.second.carried > 0 && absl::StartsWith(entry.first, begin);
  });
}

size_t ReplicaPlaces::Taken(Clock::time_point now) const {
  return std::count_if(places_.begin(), places_.end(),
                       [now](const auto& entry) { return entry.second.IsTaken(now); });
}

void ReplicaPlaces::TakeBy(Clock::time_point when) { next_ = std::min(when, next_.value_or(when)); }

std::vector<std::string> ReplicaPlaces::Take(const std::vector<std::string>& found,
                                             Clock::time_point now) {
  std::erase_if(places_, [&found](const auto& entry) {
    return !entry.second.IsUsed() &&
           std::find(found.begin(), found.end(), entry.first) == found.end();
  });
  next_.reset();
  std::vector<std::string> wanted;
  for (const std::string& name : found) {
    const Place& place = places_[name];
    if (place.IsUsed()) continue;
    if (place.not_before > now) {
      TakeBy(place.not_before);
    } else {
      wanted.push_back(name);
    }
  }
  std::sort(wanted.begin(), wanted.end(), [this](const auto& a, const auto& b) {
    return std::pair(places_[a].failures, a) < std::pair(places_[b].failures, b);
  });
  const size_t free = kMost - std::min(kMost, Taken(now));
  const bool crowded = wanted.size() > free;
  if (crowded) wanted.resize(free);
  for (const std::string& name : wanted) {
    places_[name].state = Place::State::kConnecting;
    places_[name].since = now;
  }
  for (const auto& [name, place] : places_) {
    const bool connecting = place.state == Place::State::kConnecting && place.IsTaken(now);
    if (crowded && connecting) TakeBy(place.since + kSlow);
  }
  return wanted;
}

bool ReplicaPlaces::Hold(const std::string& name, Clock::time_point now) {
  const auto found = places_.find(name);
  if (found == places_.end() || found->second.state != Place::State::kConnecting) return false;
  Place& place = found->second;
  place.state = Place::State::kNothing;
  if (place.carried > 0 || Taken(now) >= kMost) return false;
  place.state = Place::State::kHeld;
  place.since = now;
  return true;
}

Clock::time_point ReplicaPlaces::Failed(const std::string& name, const absl::Status& why,
                                        Clock::time_point now) {
  Place& place = places_[name];
  place.state = Place::State::kNothing;
  place.not_before = now + Pause(place.failures++, absl::IsFailedPrecondition(why));
  return place.not_before;
}

Clock::time_point ReplicaPlaces::Ended(const std::string& name, Clock::time_point now) {
  Place& place = places_[name];
  if (place.state == Place::State::kHeld && now - place.since >= kLasting) place.failures = 0;
  return Failed(name, absl::UnavailableError("ended"), now);
}

void ReplicaPlaces::EndAll() {
  for (auto& [name, place] : places_) place.state = Place::State::kNothing;
}

void ReplicaPlaces::Renew() {
  for (auto& [name, place] : places_) {
    place.failures = 0;
    place.not_before = {};
  }
}

}  // namespace grpc_cxl::internal
