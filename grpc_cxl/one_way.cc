// SPDX-License-Identifier: Apache-2.0
#include "grpc_cxl/one_way.h"

#include <atomic>

#include "grpc_cxl/direct/one_way_mark.h"

namespace grpc_cxl {

void DoNotWait(grpc::ClientContext* context) {
  internal::any_one_way.store(true, std::memory_order_relaxed);
  context->AddMetadata(internal::kOneWayKey, "1");
}

}  // namespace grpc_cxl
