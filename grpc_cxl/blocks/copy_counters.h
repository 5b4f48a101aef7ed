// SPDX-License-Identifier: Apache-2.0
#ifndef GRPC_CXL_BLOCKS_COPY_COUNTERS_H_
#define GRPC_CXL_BLOCKS_COPY_COUNTERS_H_

#include "grpc_cxl/base/counter.h"

namespace grpc_cxl::internal {

// How the payload of all connections of this process has travelled so far, and how often it was
// copied; grpc_cxl/payload_counters.h explains each.
struct CopyCounters {
  Counter sent_in_place;
  Counter sent_by_block;
  Counter sent_by_ring;
  Counter sent_for_want_of_blocks;
  Counter received_in_place;
  Counter received_from_block;
  Counter received_from_ring;
  Gauge loans_out;
  Gauge loans_held;

  static CopyCounters& OfProcess() {
    static CopyCounters counters;  // trivially destructible: good until the very end
    return counters;
  }
};

}  // namespace grpc_cxl::internal

#endif  // GRPC_CXL_BLOCKS_COPY_COUNTERS_H_
