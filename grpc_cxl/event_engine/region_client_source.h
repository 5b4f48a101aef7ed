// SPDX-License-Identifier: Apache-2.0
#ifndef GRPC_CXL_EVENT_ENGINE_REGION_CLIENT_SOURCE_H_
#define GRPC_CXL_EVENT_ENGINE_REGION_CLIENT_SOURCE_H_

#include <grpc/event_engine/event_engine.h>

#include <memory>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/status/statusor.h"
#include "absl/synchronization/mutex.h"
#include "grpc_cxl/event_engine/client_source.h"
#include "grpc_cxl/event_engine/settings.h"
#include "grpc_cxl/region/region_node.h"
#include "grpc_cxl/rendezvous/service_name.h"

namespace grpc_cxl::internal {

// A name in a region's directory, where clients of any host find it. Owned by a shared_ptr.
class RegionClientSource final : public ClientSource,
                                 public std::enable_shared_from_this<RegionClientSource> {
 public:
  using EventEngine = grpc_event_engine::experimental::EventEngine;

  // Registers the name at once. Errors are those of RegionNode::Get() and Listen().
  static absl::StatusOr<std::shared_ptr<RegionClientSource>> Open(
      std::shared_ptr<EventEngine> executor, const RegionOptions& region, const ServiceName& name,
      const EndpointSettings& settings);

  void Start(OnClient on_client) override;
  void Stop() override;
  const ServiceName& own_name() const override { return name_; }
  bool AwaitTakeOver(absl::Time) override { return false; }  // the region has no such thing

 private:
  RegionClientSource(std::shared_ptr<EventEngine> executor, std::shared_ptr<RegionNode> node,
                     const ServiceName& name, const MemoryModel& memory)
      : executor_(std::move(executor)), node_(std::move(node)), name_(name), memory_(memory) {}

  void OnRequest(const RegionRequest& request);
  void HandOver(const RegionRequest& request);

  const std::shared_ptr<EventEngine> executor_;
  const std::shared_ptr<RegionNode> node_;
  const ServiceName name_;
  const MemoryModel memory_;

  absl::Mutex mu_;
  uint64_t listener_ ABSL_GUARDED_BY(mu_) = 0;
  bool stopped_ ABSL_GUARDED_BY(mu_) = false;
  OnClient on_client_ ABSL_GUARDED_BY(mu_);
  std::vector<RegionRequest> early_ ABSL_GUARDED_BY(mu_);  // before Start()
};

// The liveness of a link through a region.
std::unique_ptr<Liveness> LivenessOf(std::shared_ptr<RegionConnection> connection);

}  // namespace grpc_cxl::internal

#endif  // GRPC_CXL_EVENT_ENGINE_REGION_CLIENT_SOURCE_H_
