// Proves that every room has its micro benchmarks, with a limit beside them, and that they run
// to their end. What they find is not a matter for a test.

#include <string>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "test/bench/program.h"

namespace grpc_cxl::bench {
namespace {

using testing::ContainsRegex;

TEST(MicroTest, RunsEveryRoomBesideItsLimit) {
  const auto micro = Program::Start("bench/micro/micro", {"--benchmark_min_time=0.001s"});
  ASSERT_EQ(micro->Wait(), 0) << micro->output();
  for (const std::string name :
       {"ring/write_and_read", "ring/limit/", "doorbell/ping_pong", "doorbell/limit/",
        "blocks/lend_and_return", "blocks/limit/", "calls/encode_request", "calls/limit/",
        "rendezvous/connect", "rendezvous/limit/"}) {
    EXPECT_THAT(micro->output(), ContainsRegex("\n" + name + "[a-z_/0-9]* +[0-9.]+ ns"));
  }
  EXPECT_TRUE(micro->Processes("", 0).empty());
}

}  // namespace
}  // namespace grpc_cxl::bench
