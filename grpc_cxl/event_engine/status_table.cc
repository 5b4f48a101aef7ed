// SPDX-License-Identifier: Apache-2.0
#include "grpc_cxl/event_engine/status_table.h"

#include <algorithm>
#include <iterator>

#include "absl/base/no_destructor.h"
#include "absl/time/clock.h"
#include "absl/time/time.h"

namespace grpc_cxl::internal {
namespace {

// Entries on a page.
constexpr size_t kMostConnections = 256;
constexpr size_t kMostNames = 64;
constexpr size_t kMostNetworks = 64;
constexpr size_t kMostNetworkPeers = 64;

StatusThread EntryOf(const PollFigures& figures) {
  const auto number = [](int64_t value) {
    return static_cast<uint64_t>(std::max<int64_t>(value, 0));
  };
  return {.wait_policy = static_cast<uint32_t>(1 + figures.policy.load(std::memory_order_relaxed)),
          .reserved = 0,
          .wake_up = number(figures.wake_up_ns.load(std::memory_order_relaxed)),
          .spin = number(figures.spin_ns.load(std::memory_order_relaxed)),
          .waits = figures.waits,
          .sleeps = figures.sleeps};
}

}  // namespace

void ServedName::Refused(absl::string_view reason) {
  refused_.Add();
  absl::MutexLock lock(mu_);
  last_refusal_ = std::string(reason);
}

StatusName ServedName::Entry() const {
  StatusName entry{};
  SetText(entry.name, name_);
  SetText(entry.rollout, rollout_);
  entry.direct_calls = direct_calls_ ? 1 : 0;
  entry.accepted = accepted_;
  entry.refused = refused_;
  absl::MutexLock lock(mu_);
  SetText(entry.last_refusal, last_refusal_);
  return entry;
}

StatusTable& StatusTable::OfProcess() {
  static absl::NoDestructor<StatusTable> table;
  return *table;
}

void StatusTable::SetWatchdog(const Watchdog* watchdog) {
  absl::MutexLock lock(mu_);
  watchdog_ = watchdog;
}

void StatusTable::AddConnection(const StatusConnection& identity,
                                std::weak_ptr<EndpointCore> core) {
  absl::MutexLock lock(mu_);
  if (connections_.size() >= erase_at_) {
    std::erase_if(connections_, [](const auto& entry) { return entry.second.expired(); });
    erase_at_ = std::max<size_t>(64, 2 * connections_.size());
  }
  connections_.emplace_back(identity, std::move(core));
}

std::shared_ptr<ServedName> StatusTable::AddName(std::string name, std::string rollout,
                                                 bool direct_calls) {
  auto served = std::make_shared<ServedName>(std::move(name), std::move(rollout), direct_calls);
  absl::MutexLock lock(mu_);
  std::erase_if(names_, [](const auto& weak) { return weak.expired(); });
  names_.push_back(served);
  return served;
}

std::shared_ptr<void> StatusTable::AddNetwork(absl::string_view address, absl::string_view reason) {
  StatusNetwork entry{};
  SetText(entry.address, address);
  absl::MutexLock lock(mu_);
  auto found = std::find_if(networks_.begin(), networks_.end(), [&entry](const auto& network) {
    return absl::string_view(network.address) == absl::string_view(entry.address);
  });
  if (found == networks_.end()) {
    if (networks_.size() == kMostNetworks) {
      // The one that was reached last the longest ago gives way.
      found =
          std::min_element(networks_.begin(), networks_.end(),
                           [](const auto& a, const auto& b) { return a.last_time < b.last_time; });
      *found = entry;
      ++networks_not_shown_;
    } else {
      found = networks_.insert(found, entry);
    }
  }
  ++found->connections;
  found->last_time = absl::GetCurrentTimeNanos();
  SetText(found->reason, reason);
  StatusNetworkPeer peer{};
  peer.start_time = found->last_time;
  SetText(peer.peer, address);
  SetText(peer.reason, reason);
  network_peers_.push_back(peer);
  return {nullptr, [this, at = std::prev(network_peers_.end())](void*) {
            absl::MutexLock lock(mu_);
            network_peers_.erase(at);
          }};
}

void StatusTable::Fill(StatusPage* page) const {
  std::vector<std::pair<StatusConnection, std::shared_ptr<EndpointCore>>> connections;
  std::vector<std::shared_ptr<ServedName>> names;
  const Watchdog* watchdog;
  {
    absl::MutexLock lock(mu_);
    watchdog = watchdog_;
    for (const auto& [identity, weak] : connections_) {
      std::shared_ptr<EndpointCore> core = weak.lock();
      if (core == nullptr) continue;
      if (connections.size() == kMostConnections) {
        ++page->process.connections_not_shown;
      } else {
        connections.emplace_back(identity, std::move(core));
      }
    }
    for (const auto& weak : names_) {
      std::shared_ptr<ServedName> name = weak.lock();
      if (name == nullptr || name->ended()) continue;
      if (names.size() == kMostNames) {
        ++page->process.names_not_shown;
      } else {
        names.push_back(std::move(name));
      }
    }
    page->networks = networks_;
    page->process.networks_not_shown = networks_not_shown_;
    const size_t peers = std::min(network_peers_.size(), kMostNetworkPeers);
    page->network_peers.assign(network_peers_.begin(), std::next(network_peers_.begin(), peers));
    page->process.network_peers_not_shown = static_cast<uint32_t>(network_peers_.size() - peers);
  }
  // Without the lock: the last reference to a connection may go here.
  for (auto& [entry, core] : connections) {
    core->FillStatus(&entry);
    page->connections.push_back(entry);
  }
  for (const auto& name : names) page->names.push_back(name->Entry());
  if (watchdog == nullptr) return;
  for (const auto& poller : watchdog->pollers()) {
    page->threads.push_back(EntryOf(poller->figures()));
  }
  page->process.takeovers = watchdog->takeovers();
  page->process.hand_overs = watchdog->hand_overs();
}

}  // namespace grpc_cxl::internal
