// SPDX-License-Identifier: Apache-2.0
#ifndef GRPC_CXL_EXAMPLES_HOTEL_RESERVATION_LOAD_GENERATOR_OPEN_LOOP_H_
#define GRPC_CXL_EXAMPLES_HOTEL_RESERVATION_LOAD_GENERATOR_OPEN_LOOP_H_

#include <cstdint>

#include "absl/time/time.h"
#include "examples/hotel_reservation/load_generator/recorder.h"
#include "examples/hotel_reservation/load_generator/request_mix.h"
#include "examples/hotel_reservation/load_generator/target.h"

namespace hotel_reservation {

// Sends requests of the mix at a constant rate for `duration`, without waiting for earlier ones, as
// independent users do. Sends a late request as soon as possible, and counts its latency from the
// moment it was due, so that a stall shows in every request that it delays. Sends no more when the
// recorder's limit is broken. Returns the number of requests once all have ended.
int64_t SendAtRate(Target& target, RequestMix& mix, double per_second, absl::Duration duration,
                   Recorder& recorder);

}  // namespace hotel_reservation

#endif  // GRPC_CXL_EXAMPLES_HOTEL_RESERVATION_LOAD_GENERATOR_OPEN_LOOP_H_
