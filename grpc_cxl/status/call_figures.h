// SPDX-License-Identifier: Apache-2.0
#ifndef GRPC_CXL_STATUS_CALL_FIGURES_H_
#define GRPC_CXL_STATUS_CALL_FIGURES_H_

#include <cstdint>

#include "grpc_cxl/base/counter.h"
#include "grpc_cxl/status/call_outcomes.h"
#include "grpc_cxl/status/latency_histogram.h"
#include "grpc_cxl/status/status_layout.h"

namespace grpc_cxl::internal {

// What became of the direct calls of one end of a connection. Thread-safe but for AddAlone().
struct CallFigures {
  Counter one_way;
  Counter outcomes[kCallOutcomes];
  LatencyHistogram latency;

  void Ended(uint32_t code) { outcomes[OutcomeOf(code)].Add(); }
  // For ends that only one thread at a time counts: no locked instruction.
  void AddAlone(uint32_t code, int64_t ns) {
    outcomes[OutcomeOf(code)].AddAlone();
    latency.AddAlone(ns);
  }

  void Fill(StatusConnection* entry) const {
    entry->one_way_calls = one_way;
    for (size_t i = 0; i < kCallOutcomes; ++i) entry->outcomes[i] = outcomes[i];
    entry->latency_sum = latency.sum_ns();
    for (size_t i = 0; i < kLatencyBuckets; ++i) entry->latency[i] = latency.count(i);
  }
};

}  // namespace grpc_cxl::internal

#endif  // GRPC_CXL_STATUS_CALL_FIGURES_H_
