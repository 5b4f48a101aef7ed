// SPDX-License-Identifier: Apache-2.0
#include "grpc_cxl/event_engine/moving_address.h"

#include <algorithm>
#include <chrono>
#include <cstring>
#include <map>
#include <tuple>
#include <utility>

#include "absl/base/no_destructor.h"
#include "absl/log/log.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "grpc_cxl/endpoint/accompanied_endpoint.h"
#include "grpc_cxl/event_engine/local_first.h"
#include "grpc_cxl/event_engine/path_counters.h"
#include "grpc_cxl/rendezvous/name_files.h"
#include "grpc_cxl/rendezvous/replica_name.h"

namespace grpc_cxl::internal {
namespace {

using Clock = MoveBackOff::Clock;

constexpr auto kProbeTimeout = std::chrono::seconds(5);

absl::string_view BytesOf(const MovingAddress::EventEngine::ResolvedAddress& address) {
  return {reinterpret_cast<const char*>(address.address()), address.size()};
}

}  // namespace

bool operator<(const MovingAddress::Key& a, const MovingAddress::Key& b) {
  return std::forward_as_tuple(BytesOf(a.address), a.host, a.settings_number) <
         std::forward_as_tuple(BytesOf(b.address), b.host, b.settings_number);
}

struct MovingAddress::Table {
  absl::Mutex mu;
  std::map<Key, std::shared_ptr<MovingAddress>> all ABSL_GUARDED_BY(mu);
};

MovingAddress::Table& MovingAddress::TheTable() {
  static absl::NoDestructor<Table> table;
  return *table;
}

void MovingAddress::EraseForgotten(Table& table) {
  std::erase_if(table.all, [now = Clock::now()](const auto& entry) {
    absl::MutexLock its_lock(entry.second->mu_);
    return entry.second->leases_ == 0 && entry.second->back_off_.IsOver(now);
  });
}

class MovingAddress::Lease {
 public:
  explicit Lease(std::shared_ptr<MovingAddress> address) : address_(std::move(address)) {}
  ~Lease() { address_->Leave(); }

 private:
  const std::shared_ptr<MovingAddress> address_;
};

std::unique_ptr<MovingAddress::EventEngine::Endpoint> MovingAddress::Keep(
    const Terms& terms, std::unique_ptr<EventEngine::Endpoint> connection, bool declined) {
  const std::vector<ServiceName> names =
      LocalNames(terms.key.address, terms.key.host, terms.settings);
  if (names.empty()) return connection;
  auto endpoint = std::make_unique<DrainableEndpoint>(std::move(connection), terms.executor);
  Table& table = TheTable();
  absl::MutexLock lock(table.mu);
  EraseForgotten(table);
  std::shared_ptr<MovingAddress>& address = table.all[terms.key];
  if (address == nullptr) address.reset(new MovingAddress(terms));
  address->Enter(endpoint->reads(), declined, names);
  return std::make_unique<AccompaniedEndpoint>(std::move(endpoint),
                                               std::make_shared<Lease>(address));
}

void MovingAddress::Enter(std::weak_ptr<DrainableReads> connection, bool declined,
                          const std::vector<ServiceName>& names) {
  absl::MutexLock lock(mu_);
  if (++leases_ == 1) {
    const DirectoryCandidates& directory = terms_.settings.directory;
    std::vector<std::string> stems;
    for (const ServiceName& name : names) {
      stems.push_back(NameInRollout(name, directory.rollout));
      if (MayHaveReplicas(name)) stems.push_back(absl::StrCat(name.FileStem(), "="));
    }
    arrivals_ = Arrivals::Of(directory, terms_.executor, terms_.watchdog->Assign());
    arrivals_->Add(shared_from_this(), stems);
  }
  std::erase_if(connections_, [](const auto& other) { return other.expired(); });
  connections_.push_back(std::move(connection));
  if (declined) back_off_.Failed(Clock::now());  // the reason may pass
  LookAt(back_off_.next());
}

void MovingAddress::Leave() {
  std::shared_ptr<Arrivals> dropped;
  {
    absl::MutexLock lock(mu_);
    std::erase_if(connections_, [](const auto& other) { return other.expired(); });
    if (--leases_ > 0) return;
    dropped = std::exchange(arrivals_, nullptr);
  }
  Table& table = TheTable();
  absl::MutexLock lock(table.mu);
  EraseForgotten(table);
}

void MovingAddress::OnArrival() {
  {
    absl::MutexLock lock(mu_);
    back_off_.Renew();
  }
  Look();
}

void MovingAddress::LookAt(Clock::time_point when) {
  if (std::exchange(due_, true)) return;
  terms_.executor->RunAfter(std::max<Clock::duration>(when - Clock::now(), Clock::duration::zero()),
                            [weak = weak_from_this()] {
                              const std::shared_ptr<MovingAddress> self = weak.lock();
                              if (self == nullptr) return;
                              {
                                absl::MutexLock lock(self->mu_);
                                self->due_ = false;
                              }
                              self->Look();
                            });
}

void MovingAddress::Look() {
  {
    absl::MutexLock lock(mu_);
    again_ |= busy_;
    if (busy_ || connections_.empty()) return;
    if (Clock::now() < back_off_.next()) return LookAt(back_off_.next());
    busy_ = true;
  }
  std::vector<LocalServer> servers =
      FindLocalServers(terms_.key.address, terms_.key.host, terms_.settings);
  if (servers.empty()) {
    bool again;
    {
      absl::MutexLock lock(mu_);
      busy_ = false;
      again = std::exchange(again_, false);
    }
    if (again) Look();
    return;
  }
  ConnectRequest probe{.executor = terms_.executor,
                       .poller = terms_.watchdog->Assign(),
                       .name = servers.front().name,
                       .settings = terms_.settings,
                       // Of nobody's: so that the server makes the arena that it will make.
                       .routes = terms_.direct ? std::make_shared<CallRoutes>() : nullptr,
                       .pool_key = "",
                       .await_greeting = true,
                       .is_probe = true};
  Probe(std::move(probe), std::move(servers), kProbeTimeout,
        [self = shared_from_this()](const absl::Status& status) { self->OnProbed(status); });
}

void MovingAddress::OnProbed(const absl::Status& status) {
  std::vector<std::weak_ptr<DrainableReads>> connections;
  {
    absl::MutexLock lock(mu_);
    busy_ = false;
    const bool again = std::exchange(again_, false);
    if (status.ok()) {
      back_off_.Moved(Clock::now());
      connections.swap(connections_);
    } else {
      back_off_.Failed(Clock::now());
    }
    if (again || (!status.ok() && back_off_.GoesOn())) LookAt(back_off_.next());
  }
  for (const std::weak_ptr<DrainableReads>& weak : connections) {
    const std::shared_ptr<DrainableReads> connection = weak.lock();
    if (connection == nullptr || !connection->Drain()) continue;
    PathCounters::OfProcess().moved.Add();
  }
}

}  // namespace grpc_cxl::internal
