// SPDX-License-Identifier: Apache-2.0
#ifndef GRPC_CXL_STATUS_CALL_OUTCOMES_H_
#define GRPC_CXL_STATUS_CALL_OUTCOMES_H_

#include <array>
#include <cstddef>
#include <cstdint>

namespace grpc_cxl::internal {

// gRPC's status codes, which are how calls end. Their names are gRPC's.
inline constexpr std::array kOutcomeNames = {
    "OK",        "CANCELLED",      "UNKNOWN",           "INVALID_ARGUMENT",   "DEADLINE_EXCEEDED",
    "NOT_FOUND", "ALREADY_EXISTS", "PERMISSION_DENIED", "RESOURCE_EXHAUSTED", "FAILED_PRECONDITION",
    "ABORTED",   "OUT_OF_RANGE",   "UNIMPLEMENTED",     "INTERNAL",           "UNAVAILABLE",
    "DATA_LOSS", "UNAUTHENTICATED"};
inline constexpr size_t kCallOutcomes = kOutcomeNames.size();

// A code that gRPC does not know may come from a handler, or a hostile peer.
constexpr size_t OutcomeOf(uint32_t code) { return code < kCallOutcomes ? code : 2; }

}  // namespace grpc_cxl::internal

#endif  // GRPC_CXL_STATUS_CALL_OUTCOMES_H_
