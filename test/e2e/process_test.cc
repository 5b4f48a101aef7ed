// SPDX-License-Identifier: Apache-2.0

// A process may fork and end amid calls, on cxl as on tcp: its own calls go on as if nothing had
// happened, a forked child may do what docs/configuration.md says, and the end neither hangs nor
// crashes. Nor does it need more threads than it may have.

#include <gtest/gtest.h>
#include <unistd.h>

#include <string>

#include "absl/time/time.h"
#include "test/e2e/calls_fixture.h"
#include "test/support/spawned_child.h"

namespace grpc_cxl::e2e {
namespace {

void ExpectOk(TransportKind kind, const std::string& flag, bool fork_support = false) {
  SCOPED_TRACE(flag + (fork_support ? " with fork support" : ""));
  internal::SpawnOptions options;
  options.environment["GRPC_ENABLE_FORK_SUPPORT"] = fork_support ? "1" : "0";
  options.environment["GRPC_VERBOSITY"] = "NONE";
  internal::SpawnedChild process("test/e2e/busy_process", {"--transport=" + Name(kind), flag},
                                 options);
  EXPECT_EQ(process.Finish(absl::Minutes(1)), 0) << process.output();
  EXPECT_EQ(process.output(), "ok\n");
}

class ProcessTest : public EveryTransport {};

TEST_P(ProcessTest, EndsAmidCalls) {
  for (const char* end : {"return", "exit", "quick_exit", "exit_of_another_thread"}) {
    ExpectOk(GetParam(), std::string("--end=") + end);
  }
}

TEST_P(ProcessTest, ForksAmidCalls) {
  for (const char* how : {"popen", "system", "exec", "exit"}) {
    ExpectOk(GetParam(), std::string("--fork=") + how);
    ExpectOk(GetParam(), std::string("--fork=") + how, /*fork_support=*/true);
  }
}

TEST_P(ProcessTest, HasHardlyAnyThreadsLeft) {
  if (geteuid() != 0) GTEST_SKIP() << "only root can take a user that has no other threads";
  internal::SpawnedChild process("test/e2e/crowded_process", {"--transport=" + Name(GetParam())});
  EXPECT_EQ(process.Finish(absl::Minutes(1)), 0) << process.output();
  EXPECT_EQ(process.output(), "ok\n");
}

INSTANTIATE_TEST_SUITE_P(Everywhere, ProcessTest, ::testing::ValuesIn(kMostTransports),
                         ParamName());

}  // namespace
}  // namespace grpc_cxl::e2e
