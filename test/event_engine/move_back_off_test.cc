// SPDX-License-Identifier: Apache-2.0

// Proves how often an address is moved: pauses double, up to a limit each for moves and failures,
// and a quiet minute makes all good.

#include "grpc_cxl/event_engine/move_back_off.h"

#include <chrono>

#include "gtest/gtest.h"

namespace grpc_cxl::internal {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

TEST(MoveBackOffTest, PausesDoubleUpToALimitAndAreForgotten) {
  MoveBackOff back_off;
  MoveBackOff::Clock::time_point now = MoveBackOff::Clock::now();
  EXPECT_LE(back_off.next(), now);
  for (const int pause : {100, 200, 400, 800, 1000, 1000}) {
    back_off.Moved(now);
    EXPECT_EQ(back_off.next() - now, milliseconds(pause));
    EXPECT_FALSE(back_off.IsOver(now));
    now = back_off.next();
  }
  // Moves that bring nothing but the next failure become as seldom as failures.
  for (const int pause : {6400, 12800, 25600, 30000, 30000}) {
    EXPECT_TRUE(back_off.GoesOn());
    back_off.Failed(now);
    EXPECT_EQ(back_off.next() - now, milliseconds(pause));
    now = back_off.next();
  }
  for (int i = 0; i < 3; ++i) back_off.Failed(now);
  EXPECT_FALSE(back_off.GoesOn());
  back_off.Renew();
  EXPECT_TRUE(back_off.GoesOn());
  now = back_off.next() + seconds(61);
  EXPECT_TRUE(back_off.IsOver(now));
  back_off.Moved(now);
  EXPECT_EQ(back_off.next() - now, milliseconds(100));
}

}  // namespace
}  // namespace grpc_cxl::internal
