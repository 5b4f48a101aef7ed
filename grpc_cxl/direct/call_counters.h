// SPDX-License-Identifier: Apache-2.0
#ifndef GRPC_CXL_DIRECT_CALL_COUNTERS_H_
#define GRPC_CXL_DIRECT_CALL_COUNTERS_H_

#include "grpc_cxl/base/counter.h"

namespace grpc_cxl::internal {

// Paths of this process's unary calls on `cxl:` channels; public as DirectCallStats
// (direct_calls.h).
struct CallCounters {
  Counter direct;
  Counter direct_streams;
  Counter http2_streams;
  Counter in_process;
  Counter not_taken;
  Counter no_connection;
  Counter not_eligible;
  Counter too_large;
  Counter no_slot;
  Counter excluded_channel;
  Counter global_interceptor;
  Counter no_descriptor;
  Counter one_way;
  Counter one_way_background;
  Counter one_way_failed;

  static CallCounters& OfProcess() {
    static CallCounters counters;
    return counters;
  }
};

// Direct calls that came to this process's servers; public as ServedCallStats (direct_calls.h).
struct ServedCounters {
  Counter taken;
  Counter refused;
  Counter streams;

  static ServedCounters& OfProcess() {
    static ServedCounters counters;
    return counters;
  }
};

}  // namespace grpc_cxl::internal

#endif  // GRPC_CXL_DIRECT_CALL_COUNTERS_H_
