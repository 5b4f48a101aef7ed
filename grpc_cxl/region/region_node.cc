// SPDX-License-Identifier: Apache-2.0
#include "grpc_cxl/region/region_node.h"

#include <pthread.h>

#include <algorithm>
#include <map>
#include <utility>

#include "absl/base/no_destructor.h"
#include "absl/log/check.h"
#include "absl/time/time.h"
#include "grpc_cxl/base/steady_clock.h"

namespace grpc_cxl::internal {
namespace {

constexpr absl::Duration kShortestPause = absl::Milliseconds(1);
constexpr absl::Duration kLongestPause = absl::Milliseconds(10);

// This process's place in one region.
struct Place {
  absl::Mutex mu;  // held while the process joins, which may take a lease
  std::shared_ptr<RegionNode> node ABSL_GUARDED_BY(mu);
};

struct Places {
  absl::Mutex mu;
  std::map<std::pair<std::string, uint32_t>, std::unique_ptr<Place>> places ABSL_GUARDED_BY(mu);
};

Place& PlaceIn(const RegionOptions& options) {
  static absl::NoDestructor<Places> all;
  absl::MutexLock lock(all->mu);
  std::unique_ptr<Place>& place = all->places[{options.path, options.host}];
  if (place == nullptr) place = std::make_unique<Place>();
  return *place;
}

}  // namespace

absl::StatusOr<std::shared_ptr<RegionNode>> RegionNode::Get(const RegionOptions& options) {
  Place& place = PlaceIn(options);
  absl::MutexLock lock(place.mu);
  if (place.node != nullptr && place.node->IsMember()) return place.node;
  absl::StatusOr<std::shared_ptr<RegionNode>> node = Join(options);
  if (node.ok()) place.node = *node;
  return node;
}

absl::StatusOr<std::shared_ptr<RegionNode>> RegionNode::Join(const RegionOptions& options) {
  absl::StatusOr<std::shared_ptr<Region>> region = Region::Open(options);
  if (!region.ok()) return region.status();
  absl::StatusOr<std::unique_ptr<Membership>> membership = Membership::Join(*region);
  if (!membership.ok()) return membership.status();
  std::shared_ptr<RegionNode> node(new RegionNode(*std::move(region), *std::move(membership)));
  node->Start();
  return node;
}

RegionNode::RegionNode(std::shared_ptr<const Region> region, std::unique_ptr<Membership> membership)
    : region_(std::move(region)),
      beat_(region_, std::move(membership)),
      listener_(region_, beat_.self()),
      answers_(region_, beat_),
      connector_(region_, beat_) {}

void RegionNode::Start() {
  thread_ = std::thread([this] {
    pthread_setname_np(pthread_self(), "cxl_region");
    Run();
  });
}

RegionNode::~RegionNode() {
  {
    absl::MutexLock lock(mu_);
    stopping_ = true;
  }
  CHECK(thread_.get_id() != std::this_thread::get_id()) << "dropped by a callback";
  thread_.join();
}

void RegionNode::Run() {
  absl::Duration pause = kShortestPause;
  int64_t clear_up_ns = 0;
  for (;;) {
    if (const int64_t now = SteadyNs(); now >= clear_up_ns) {
      clear_up_ns = now + absl::ToInt64Nanoseconds(beat_.interval());
      answers_.FreeUnused();
    }
    bool busy = listener_.LookForRequests();
    busy |= connector_.LookForAnswers(weak_from_this());
    absl::MutexLock lock(mu_);
    if (stopping_) return;
    busy |= std::exchange(hurry_, false);
    pause = busy ? kShortestPause : std::min(2 * pause, kLongestPause);
    const bool waits = listener_.IsListening() || connector_.IsConnecting();
    const auto wake = [this]() ABSL_SHARED_LOCKS_REQUIRED(mu_) { return stopping_ || hurry_; };
    mu_.AwaitWithTimeout(absl::Condition(&wake), waits ? pause : beat_.interval());
  }
}

void RegionNode::Hurry() {
  absl::MutexLock lock(mu_);
  hurry_ = true;
}

absl::StatusOr<uint64_t> RegionNode::Listen(const std::string& name,
                                            RegionListener::OnRequest on_request) {
  absl::StatusOr<uint64_t> listener = listener_.Listen(name, std::move(on_request));
  if (listener.ok()) Hurry();
  return listener;
}

uint64_t RegionNode::Connect(const std::string& name, uint32_t features,
                             RegionConnector::OnDone on_done) {
  const uint64_t attempt = connector_.Connect(name, features, std::move(on_done));
  if (attempt != 0) Hurry();
  return attempt;
}

bool RegionNode::Cancel(uint64_t attempt) {
  if (!connector_.Cancel(attempt)) return false;
  Hurry();
  return true;
}

}  // namespace grpc_cxl::internal
