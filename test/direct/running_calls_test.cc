// SPDX-License-Identifier: Apache-2.0

// That a cancellation reaches its call, whether that has begun or not, and no other of its slot,
// however late it comes.

#include "grpc_cxl/direct/running_calls.h"

#include "gtest/gtest.h"

namespace grpc_cxl::internal {
namespace {

struct Call final : Cancellable {
  void Cancel() override { ++cancelled; }
  int cancelled = 0;
};

ServerCalls::CallId Id(uint32_t generation, int slot = 0) { return {slot, generation}; }

TEST(RunningCallsTest, ACancellationReachesItsCallAlone) {
  RunningCalls calls(2);
  Call meant, other;
  calls.Begin(Id(1, 0), &meant);
  calls.Begin(Id(1, 1), &other);
  calls.Cancel(Id(1, 0));
  EXPECT_EQ(meant.cancelled, 1);
  EXPECT_EQ(other.cancelled, 0);
}

TEST(RunningCallsTest, OneThatComesBeforeItsCallIsKept) {
  RunningCalls calls(1);
  Call call;
  calls.Cancel(Id(1));
  calls.Begin(Id(1), &call);
  EXPECT_EQ(call.cancelled, 1);
}

TEST(RunningCallsTest, OneThatComesLateDoesNotReachTheSlotsNextCall) {
  RunningCalls calls(1);
  Call first, second;
  calls.Begin(Id(1), &first);
  calls.End(Id(1));
  calls.Begin(Id(2), &second);
  calls.Cancel(Id(1));
  EXPECT_EQ(first.cancelled + second.cancelled, 0);
  calls.End(Id(2));
  calls.Cancel(Id(2));
  EXPECT_EQ(second.cancelled, 0);
}

// The first did not begin: it was malformed, or had no time left.
TEST(RunningCallsTest, NorDoesItHideThatOfACallWhichIsStillToBegin) {
  RunningCalls calls(1);
  Call third;
  calls.End(Id(2));
  calls.Cancel(Id(3));
  for (const uint32_t late : {1, 2}) calls.Cancel(Id(late));
  calls.Begin(Id(3), &third);
  EXPECT_EQ(third.cancelled, 1);
}

TEST(RunningCallsTest, GenerationsStartAgain) {
  RunningCalls calls(1);
  Call before, after;
  calls.End(Id(UINT32_MAX - 1));
  calls.Cancel(Id(UINT32_MAX));
  calls.Begin(Id(UINT32_MAX), &before);
  calls.End(Id(UINT32_MAX));
  calls.Cancel(Id(0));
  calls.Begin(Id(0), &after);
  EXPECT_EQ(before.cancelled, 1);
  EXPECT_EQ(after.cancelled, 1);
}

TEST(RunningCallsTest, TheEndCancelsAllThatRunOrBegin) {
  RunningCalls calls(2);
  Call runs, begins;
  calls.Begin(Id(1, 0), &runs);
  calls.CancelAll();
  calls.Begin(Id(1, 1), &begins);
  EXPECT_EQ(runs.cancelled, 1);
  EXPECT_EQ(begins.cancelled, 1);
}

}  // namespace
}  // namespace grpc_cxl::internal
