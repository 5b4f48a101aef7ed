// SPDX-License-Identifier: Apache-2.0
#ifndef GRPC_CXL_TEST_E2E_PARITY_H_
#define GRPC_CXL_TEST_E2E_PARITY_H_

#include <gtest/gtest.h>

#include <cstdint>

#include "grpc_cxl/direct_calls.h"
#include "test/e2e/calls_fixture.h"
#include "test/e2e/transport.h"

// The parity suite makes a call over tcp and makes it again over cxl, and as a direct call on a
// warm connection: client and handler must see the same.
namespace grpc_cxl::e2e {

// Runs once on cxl, once with direct calls.
class Parity : public EveryTransport {};

#define GRPC_CXL_PARITY_SUITE(suite)                                                          \
  INSTANTIATE_TEST_SUITE_P(OfTcpAnd, suite,                                                   \
                           ::testing::Values(TransportKind::kCxl, TransportKind::kCxlDirect), \
                           ParamName())

// The growth of the process's counters since this object was made.
class Paths : public Since<DirectCallStats> {
 public:
  Paths() : Since(GetDirectCallStats) {}
  uint64_t direct() const { return (*this)(&DirectCallStats::direct); }
};

}  // namespace grpc_cxl::e2e

#endif  // GRPC_CXL_TEST_E2E_PARITY_H_
