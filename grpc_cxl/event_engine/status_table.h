// SPDX-License-Identifier: Apache-2.0
#ifndef GRPC_CXL_EVENT_ENGINE_STATUS_TABLE_H_
#define GRPC_CXL_EVENT_ENGINE_STATUS_TABLE_H_

#include <atomic>
#include <cstdint>
#include <deque>
#include <list>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/strings/string_view.h"
#include "absl/synchronization/mutex.h"
#include "grpc_cxl/base/counter.h"
#include "grpc_cxl/endpoint/endpoint_core.h"
#include "grpc_cxl/polling/watchdog.h"
#include "grpc_cxl/status/status_page.h"

namespace grpc_cxl::internal {

// A name that the process serves, as its status page shows it. Thread-safe.
class ServedName {
 public:
  ServedName(std::string name, std::string rollout, bool direct_calls)
      : name_(std::move(name)), rollout_(std::move(rollout)), direct_calls_(direct_calls) {}

  void Accepted() { accepted_.Add(); }
  void Refused(absl::string_view reason);
  // The name has been given up: it is shown no more.
  void End() { ended_.store(true, std::memory_order_relaxed); }
  bool ended() const { return ended_.load(std::memory_order_relaxed); }
  StatusName Entry() const;

 private:
  const std::string name_, rollout_;
  const bool direct_calls_;
  Counter accepted_, refused_;
  std::atomic<bool> ended_{false};  // relaxed: a flag by itself
  mutable absl::Mutex mu_;
  std::string last_refusal_ ABSL_GUARDED_BY(mu_);
};

// What there is to show: the live connections, names, and addresses reached over the network of
// this process. What has ended goes by itself. Thread-safe; nothing here is on the path of a call.
class StatusTable {
 public:
  static StatusTable& OfProcess();

  // Whose threads are shown; lives as long as the process.
  void SetWatchdog(const Watchdog* watchdog);
  // `identity` has what does not change.
  void AddConnection(const StatusConnection& identity, std::weak_ptr<EndpointCore> core);
  // Shown as long as the caller keeps it.
  std::shared_ptr<ServedName> AddName(std::string name, std::string rollout, bool direct_calls);
  // A channel has connected to `address` over the network, because of `reason`. The connection is
  // shown by itself as long as the caller keeps the result.
  [[nodiscard]] std::shared_ptr<void> AddNetwork(absl::string_view address,
                                                 absl::string_view reason);

  // All of it now, but for the process's own entry, of which the counts of what is not shown are
  // set.
  void Fill(StatusPage* page) const;

 private:
  mutable absl::Mutex mu_;
  const Watchdog* watchdog_ ABSL_GUARDED_BY(mu_) = nullptr;
  // In the order in which they began.
  std::deque<std::pair<StatusConnection, std::weak_ptr<EndpointCore>>> connections_
      ABSL_GUARDED_BY(mu_);
  size_t erase_at_ ABSL_GUARDED_BY(mu_) = 64;  // connections; then those that ended are erased
  std::vector<std::weak_ptr<ServedName>> names_ ABSL_GUARDED_BY(mu_);
  std::vector<StatusNetwork> networks_ ABSL_GUARDED_BY(mu_);
  uint32_t networks_not_shown_ ABSL_GUARDED_BY(mu_) = 0;
  std::list<StatusNetworkPeer> network_peers_ ABSL_GUARDED_BY(mu_);
};

}  // namespace grpc_cxl::internal

#endif  // GRPC_CXL_EVENT_ENGINE_STATUS_TABLE_H_
