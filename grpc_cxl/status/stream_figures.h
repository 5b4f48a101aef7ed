// SPDX-License-Identifier: Apache-2.0
#ifndef GRPC_CXL_STATUS_STREAM_FIGURES_H_
#define GRPC_CXL_STATUS_STREAM_FIGURES_H_

#include <cstddef>
#include <cstdint>

#include "grpc_cxl/base/counter.h"
#include "grpc_cxl/status/call_outcomes.h"
#include "grpc_cxl/status/status_layout.h"

namespace grpc_cxl::internal {

// What became of the streams through memory of one end of a connection. Thread-safe.
struct StreamFigures {
  Counter streams;  // posted by the client, or taken by the server
  Counter messages_out, messages_in;
  Counter outcomes[kCallOutcomes];

  void Ended(uint32_t code) { outcomes[OutcomeOf(code)].Add(); }

  void Fill(StatusConnection* entry) const {
    entry->streams = streams;
    entry->stream_messages_out = messages_out;
    entry->stream_messages_in = messages_in;
    for (size_t i = 0; i < kCallOutcomes; ++i) entry->stream_outcomes[i] = outcomes[i];
  }
};

}  // namespace grpc_cxl::internal

#endif  // GRPC_CXL_STATUS_STREAM_FIGURES_H_
