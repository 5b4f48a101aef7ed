// SPDX-License-Identifier: Apache-2.0
#include "grpc_cxl/connection_counters.h"

#include "grpc_cxl/event_engine/path_counters.h"

namespace grpc_cxl {

ConnectionCounters GetConnectionCounters() {
  const internal::PathCounters& counters = internal::PathCounters::OfProcess();
  return {.memory = counters.memory,
          .network = counters.network,
          .declined = counters.declined,
          .moved = counters.moved};
}

}  // namespace grpc_cxl
