// SPDX-License-Identifier: Apache-2.0
#include "grpc_cxl/payload_counters.h"

#include "grpc_cxl/blocks/copy_counters.h"

namespace grpc_cxl {

PayloadCounters GetPayloadCounters() {
  const internal::CopyCounters& counters = internal::CopyCounters::OfProcess();
  return {
      .sent_in_place = counters.sent_in_place,
      .sent_by_block = counters.sent_by_block,
      .sent_by_ring = counters.sent_by_ring,
      .received_in_place = counters.received_in_place,
      .received_from_block = counters.received_from_block,
      .received_from_ring = counters.received_from_ring,
      .sent_for_want_of_blocks = counters.sent_for_want_of_blocks,
      .loans_out = counters.loans_out,
      .loans_held = counters.loans_held,
  };
}

}  // namespace grpc_cxl
