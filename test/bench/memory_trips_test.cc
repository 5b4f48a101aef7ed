// SPDX-License-Identifier: Apache-2.0
// The trips to far memory that looks, calls and messages take. A trip more than before is a trip
// too many: docs/region.md has what each is worth.

#include "bench/probes/memory_trips.h"

#include <gtest/gtest.h>

#include <cstdint>
#include <string>
#include <vector>

namespace grpc_cxl::bench {
namespace {

struct Expected {
  const char* of;
  uint64_t loads, stores;
};

void ExpectTrips(Coherence coherence, const std::vector<Expected>& expected) {
  const std::vector<MemoryTrips> all = CountMemoryTrips(coherence);
  ASSERT_EQ(all.size(), expected.size());
  for (size_t i = 0; i < all.size(); ++i) {
    SCOPED_TRACE(all[i].of);
    EXPECT_EQ(all[i].of, expected[i].of);
    EXPECT_EQ(all[i].loads, expected[i].loads);
    EXPECT_EQ(all[i].stores, expected[i].stores);
  }
}

TEST(MemoryTripsTest, WithoutCoherenceALookIsOneTrip) {
  ExpectTrips(Coherence::kFlush, {{"look in vain, server", 1, 0},
                                  {"look in vain, client", 1, 0},
                                  {"direct call", 6, 5},
                                  {"direct calls, polled: 1", 8, 7},
                                  {"direct calls, polled: 16", 83, 112},
                                  {"message in a ring", 2, 3}});
}

TEST(MemoryTripsTest, InCoherentMemoryALookInVainIsNone) {
  ExpectTrips(Coherence::kCoherent, {{"look in vain, server", 0, 0},
                                     {"look in vain, client", 0, 0},
                                     {"direct call", 5, 3},
                                     {"direct calls, polled: 1", 6, 5},
                                     {"direct calls, polled: 16", 81, 80},
                                     {"message in a ring", 2, 2}});
}

TEST(MemoryTripsTest, WhatTheyAreWorth) {
  EXPECT_EQ((MemoryTrips{"", 6, 5}.NsAt({.load_ns = 400, .store_ns = 300}, Coherence::kFlush)),
            6 * 400 + 5 * 300);
  EXPECT_EQ((MemoryTrips{"", 6, 5}.NsAt({.load_ns = 400, .store_ns = 300, .snoop_ns = 100},
                                        Coherence::kCoherent)),
            6 * 500 + 5 * 400);
}

}  // namespace
}  // namespace grpc_cxl::bench
