#include "grpc_cxl/payload_counters.h"

#include "grpc_cxl/blocks/payload_totals.h"

namespace grpc_cxl {

PayloadCounters GetPayloadCounters() {
  const auto now = [](const auto& total) { return total.load(std::memory_order_relaxed); };
  const internal::PayloadTotals& totals = internal::Totals();
  return {
      .sent_in_place = now(totals.sent_in_place),
      .sent_by_block = now(totals.sent_by_block),
      .sent_by_ring = now(totals.sent_by_ring),
      .received_in_place = now(totals.received_in_place),
      .received_from_block = now(totals.received_from_block),
      .received_from_ring = now(totals.received_from_ring),
      .sent_for_want_of_blocks = now(totals.sent_for_want_of_blocks),
      .loans_out = now(totals.loans_out),
      .loans_held = now(totals.loans_held),
  };
}

}  // namespace grpc_cxl
