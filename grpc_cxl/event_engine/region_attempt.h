// SPDX-License-Identifier: Apache-2.0
#ifndef GRPC_CXL_EVENT_ENGINE_REGION_ATTEMPT_H_
#define GRPC_CXL_EVENT_ENGINE_REGION_ATTEMPT_H_

#include <memory>

#include "grpc_cxl/event_engine/connect_attempt.h"
#include "grpc_cxl/region/region_node.h"

namespace grpc_cxl::internal {

// Connects through a region: sends a request to the name's server, found in the region's directory.
class RegionAttempt final : public ConnectAttempt,
                            public std::enable_shared_from_this<RegionAttempt> {
 public:
  using ConnectAttempt::ConnectAttempt;

  void Start(const RegionOptions& options, EventEngine::Duration timeout);

 private:
  Result Open(RegionOffer made);
};

}  // namespace grpc_cxl::internal

#endif  // GRPC_CXL_EVENT_ENGINE_REGION_ATTEMPT_H_
