// Proves that a chain and a fan-out are measured on every transport: calls pass through as many
// services as they should, each in its own process, and no process stays behind.

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "test/bench/program.h"

namespace grpc_cxl::bench {
namespace {

using testing::ContainsRegex;
using testing::HasSubstr;
using testing::IsEmpty;

constexpr char kChainBench[] = "bench/chain_bench";

TEST(ChainBenchTest, MeasuresBothShapesOnEveryTransport) {
  const auto bench =
      Program::Start(kChainBench, {"--services=1,3", "--rounds=1", "--seconds=0.05"});
  ASSERT_EQ(bench->Wait(), 0) << bench->output();
  for (const std::string shape : {"A chain of services", "A call to each service"}) {
    EXPECT_THAT(bench->output(), HasSubstr(shape));
  }
  for (const std::string pair :
       {"tcp +kernel", "unix +kernel", "inproc +gRPC", "cxl +adaptive", "cxl_direct +adaptive"}) {
    EXPECT_THAT(bench->output(), ContainsRegex("\n" + pair + "( +[0-9]+){2} +-?[0-9.]+\n"));
  }
  EXPECT_THAT(bench->Processes("", 0), IsEmpty());
  EXPECT_THAT(bench->Files(), IsEmpty());
}

TEST(ChainBenchTest, EveryServiceIsAProcess) {
  const auto bench = Program::Start(
      kChainBench, {"--services=5", "--transports=cxl", "--shapes=chain", "--seconds=60"});
  EXPECT_EQ(bench->Processes("--role=relay_server", 5).size(), 5u) << bench->output();
}

TEST(ChainBenchTest, SaysWhatThereIs) {
  const auto shape = Program::Start(kChainBench, {"--shapes=tree"});
  EXPECT_EQ(shape->Wait(), 1);
  EXPECT_THAT(shape->output(), HasSubstr("There is no --shapes=tree; there are chain and fan_out"));
  const auto services = Program::Start(kChainBench, {"--services=0"});
  EXPECT_EQ(services->Wait(), 1);
  EXPECT_THAT(services->output(), HasSubstr("--services=0 is not a number from 1 to 256."));
}

}  // namespace
}  // namespace grpc_cxl::bench
