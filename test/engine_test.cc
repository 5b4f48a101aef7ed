// SPDX-License-Identifier: Apache-2.0
// Proves that a process has as many polling threads as it wants, chosen before there are any.

#include "grpc_cxl/engine.h"

#include <stdlib.h>

#include <cstddef>

#include "absl/status/status.h"
#include "absl/status/status_matchers.h"
#include "gtest/gtest.h"
#include "test/polling/threads.h"
#include "test/support/eventually.h"

namespace grpc_cxl {
namespace {

using ::absl_testing::IsOk;
using ::absl_testing::StatusIs;

// In a process of its own, as the threads never end.
void StartsThreads(size_t count) {
  Engine();
  // A thread names itself.
  const bool there =
      internal::Eventually([&] { return internal::Threads("cxl_poller").count == count; });
  exit(there && absl::IsFailedPrecondition(SetPollingThreads(2)) ? 0 : 1);
}

TEST(EngineTest, HasAsManyThreadsAsAreSet) {
  GTEST_FLAG_SET(death_test_style, "threadsafe");
  unsetenv("GRPC_CXL_POLLING_THREADS");
  EXPECT_THAT(SetPollingThreads(-1), StatusIs(absl::StatusCode::kInvalidArgument));
  EXPECT_THAT(SetPollingThreads(65), StatusIs(absl::StatusCode::kInvalidArgument));
  ASSERT_THAT(SetPollingThreads(5), IsOk());
  EXPECT_EXIT(StartsThreads(5), testing::ExitedWithCode(0), "");
  EXPECT_EXIT((setenv("GRPC_CXL_POLLING_THREADS", "3", 1), StartsThreads(3)),
              testing::ExitedWithCode(0), "");
}

}  // namespace
}  // namespace grpc_cxl
