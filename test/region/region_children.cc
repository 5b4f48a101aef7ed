// SPDX-License-Identifier: Apache-2.0
#include "test/region/region_children.h"

#include <poll.h>

#include <deque>
#include <list>
#include <utility>

#include "absl/log/check.h"
#include "absl/log/log.h"
#include "absl/synchronization/mutex.h"
#include "absl/synchronization/notification.h"
#include "absl/time/clock.h"

namespace grpc_cxl::internal {

std::shared_ptr<RegionNode> JoinRegion(const std::string& path, uint32_t host) {
  auto node = RegionNode::Join({.path = path, .host = host});
  CHECK_OK(node.status());
  return *std::move(node);
}

int ServeRegion(const std::string& path, const std::string& name, int stop) {
  const auto node = JoinRegion(path, 0);
  absl::Mutex mu;
  std::deque<RegionRequest> requests;
  const auto listener = node->Listen(name, [&](const RegionRequest& request) {
    absl::MutexLock lock(mu);
    requests.push_back(request);
  });
  if (!listener.ok()) return 2;
  std::list<RegionOffer> open;
  int failed = 0;
  for (pollfd end{stop, POLLIN, 0}; poll(&end, 1, /*timeout=*/2) == 0;) {
    absl::MutexLock lock(mu);
    for (; !requests.empty(); requests.pop_front()) {
      absl::StatusOr<RegionOffer> offer = node->Accept(requests.front(), kArenaBytes, {});
      // UNAVAILABLE: a client gave up, since this process was slow.
      if (offer.ok()) {
        open.push_back(*std::move(offer));
      } else if (!absl::IsUnavailable(offer.status())) {
        failed = 3;
      }
    }
    std::erase_if(open, [](const RegionOffer& offer) { return offer.connection->PeerGone(); });
  }
  open.clear();
  node->StopListening(*listener);
  return failed;
}

RegionOffer ConnectTo(RegionNode& node, const std::string& name) {
  const absl::Time start = absl::Now();
  while (absl::Now() - start < kPatience) {
    absl::Notification done;
    absl::StatusOr<RegionOffer> offer;
    node.Connect(name, 0, [&](absl::StatusOr<RegionOffer> result) {
      offer = std::move(result);
      done.Notify();
    });
    CHECK(done.WaitForNotificationWithTimeout(kPatience)) << "it hangs";
    if (offer.ok() && offer->connection != nullptr) return *std::move(offer);
    absl::SleepFor(absl::Milliseconds(2));
  }
  LOG(FATAL) << "no connection";
}

}  // namespace grpc_cxl::internal
