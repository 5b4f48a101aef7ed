// SPDX-License-Identifier: Apache-2.0
#ifndef GRPC_CXL_EVENT_ENGINE_PATH_COUNTERS_H_
#define GRPC_CXL_EVENT_ENGINE_PATH_COUNTERS_H_

#include "grpc_cxl/base/counter.h"

namespace grpc_cxl::internal {

// Connections that this process's channels have made; public as ConnectionCounters
// (connection_counters.h).
struct PathCounters {
  Counter memory;
  Counter network;
  Counter declined;
  Counter moved;

  static PathCounters& OfProcess() {
    static PathCounters counters;
    return counters;
  }
};

}  // namespace grpc_cxl::internal

#endif  // GRPC_CXL_EVENT_ENGINE_PATH_COUNTERS_H_
