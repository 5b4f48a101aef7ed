// SPDX-License-Identifier: Apache-2.0
#ifndef GRPC_CXL_REGION_REGION_NODE_H_
#define GRPC_CXL_REGION_REGION_NODE_H_

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <thread>

#include "absl/base/thread_annotations.h"
#include "absl/status/statusor.h"
#include "absl/synchronization/mutex.h"
#include "grpc_cxl/region/membership.h"
#include "grpc_cxl/region/region.h"
#include "grpc_cxl/region/region_answers.h"
#include "grpc_cxl/region/region_beat.h"
#include "grpc_cxl/region/region_connection.h"
#include "grpc_cxl/region/region_connector.h"
#include "grpc_cxl/region/region_entries.h"
#include "grpc_cxl/region/region_listener.h"

namespace grpc_cxl::internal {

// This process in a region: keeps its lease (RegionBeat), serves names and connects to names, by a
// thread of its own that looks at the other hosts' directories. The protocol is in region_layout.h.
//
// While this process listens or connects, the thread looks every millisecond after an event, and up
// to every 10 ms without one. A look is a cached word, or without coherence a load from the region,
// for each host. Every RegionBeat::interval() it clears up.
//
// Thread-safe. Callbacks come from that thread, without locks, and should not block it.
class RegionNode : public std::enable_shared_from_this<RegionNode> {
 public:
  // This process's node for the region and host: made by the first call, it stays as long as the
  // process, or until it has lost its place. The first call may wait for a lease (Membership), and
  // so do those for the same region and host meanwhile: not for polling threads. (gRPC's pool, on
  // which clients connect, makes threads in the place of those that wait.) Errors are those of
  // Region::Open() and Membership::Join().
  static absl::StatusOr<std::shared_ptr<RegionNode>> Get(const RegionOptions& options);
  // A further node, for tests. Connections keep it alive. A callback must not drop it.
  static absl::StatusOr<std::shared_ptr<RegionNode>> Join(const RegionOptions& options);

  RegionNode(const RegionNode&) = delete;
  RegionNode& operator=(const RegionNode&) = delete;
  ~RegionNode();

  const Region& region() const { return *region_; }
  // False when this process has lost its place in the region.
  bool IsMember() const { return !region_->IsGivenUp(); }

  // See RegionListener.
  absl::StatusOr<uint64_t> Listen(const std::string& name, RegionListener::OnRequest on_request);
  void StopListening(uint64_t listener) { listener_.StopListening(listener); }

  // See RegionAnswers.
  absl::StatusOr<RegionOffer> Accept(const RegionRequest& request, size_t bytes,
                                     const AnswerRecord& terms) {
    return answers_.Accept(request, bytes, terms, shared_from_this());
  }
  void Refuse(const RegionRequest& request, uint32_t refusal, const std::string& reason) {
    answers_.Refuse(request, refusal, reason);
  }

  // See RegionConnector.
  uint64_t Connect(const std::string& name, uint32_t features, RegionConnector::OnDone on_done);
  bool Cancel(uint64_t attempt);

 private:
  RegionNode(std::shared_ptr<const Region> region, std::unique_ptr<Membership> membership);
  void Start();

  void Run();
  // Makes the thread look soon.
  void Hurry();

  const std::shared_ptr<const Region> region_;
  RegionBeat beat_;
  RegionListener listener_;
  RegionAnswers answers_;
  RegionConnector connector_;

  absl::Mutex mu_;  // taken before the mutexes of listener_ and connector_; never with a HostLock
  bool stopping_ ABSL_GUARDED_BY(mu_) = false;
  bool hurry_ ABSL_GUARDED_BY(mu_) = false;
  std::thread thread_;
};

}  // namespace grpc_cxl::internal

#endif  // GRPC_CXL_REGION_REGION_NODE_H_
