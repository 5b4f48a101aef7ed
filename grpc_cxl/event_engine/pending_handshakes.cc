// SPDX-License-Identifier: Apache-2.0
#include "grpc_cxl/event_engine/pending_handshakes.h"

#include <algorithm>
#include <utility>

namespace grpc_cxl::internal {

std::shared_ptr<PendingHandshake> PendingHandshakes::Add(
    const PeerIdentity& client, std::shared_ptr<PendingHandshake> handshake) {
  Queue& queue = queues_[client.uid];
  const PendingHandshake* const key = handshake.get();
  places_[key] = Place{client.uid, queue.insert(queue.end(), {client.pid, std::move(handshake)})};
  if (queue.size() <= kMostOfUser && places_.size() <= kMost) return nullptr;
  const auto longest = std::max_element(
      queues_.begin(), queues_.end(),
      [](const auto& a, const auto& b) { return a.second.size() <= b.second.size(); });
  Queue& full = queue.size() > kMostOfUser ? queue : longest->second;
  std::shared_ptr<PendingHandshake> displaced = WhoGivesWay(full);
  Remove(displaced.get());
  return displaced;
}

std::shared_ptr<PendingHandshake> PendingHandshakes::WhoGivesWay(const Queue& queue) {
  std::unordered_map<pid_t, size_t> places;
  for (const Entry& entry : queue) ++places[entry.pid];
  const auto most = std::max_element(
      queue.begin(), queue.end(),
      [&](const Entry& a, const Entry& b) { return places[a.pid] < places[b.pid]; });
  return places[most->pid] > kMostOfProcess ? most->handshake : queue.front().handshake;
}

void PendingHandshakes::Remove(const PendingHandshake* handshake) {
  const auto found = places_.find(handshake);
  if (found == places_.end()) return;
  const auto queue = queues_.find(found->second.uid);
  queue->second.erase(found->second.at);
  if (queue->second.empty()) queues_.erase(queue);
  places_.erase(found);
}

std::vector<std::shared_ptr<PendingHandshake>> PendingHandshakes::TakeAll() {
  std::vector<std::shared_ptr<PendingHandshake>> all;
  for (auto& [uid, queue] : queues_) {
    for (Entry& entry : queue) all.push_back(std::move(entry.handshake));
  }
  queues_.clear();
  places_.clear();
  return all;
}

}  // namespace grpc_cxl::internal
