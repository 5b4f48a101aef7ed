// Proves that many connections are measured, that arenas of different sizes show in the memory
// of a connection, and that a server which takes no more is told as the end and not as an error.

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "test/bench/program.h"

namespace grpc_cxl::bench {
namespace {

using testing::ContainsRegex;
using testing::HasSubstr;
using testing::IsEmpty;

constexpr char kConnectionsBench[] = "bench/connections_bench";

TEST(ConnectionsBenchTest, MeasuresEachNumberOfConnections) {
  const auto bench =
      Program::Start(kConnectionsBench, {"--connections=1,4", "--transports=unix,cxl"});
  ASSERT_EQ(bench->Wait(), 0) << bench->output();
  const std::string numbers = "( +[0-9.-]+){8}\n";
  EXPECT_THAT(bench->output(), ContainsRegex("\nunix +1" + numbers));
  EXPECT_THAT(bench->output(), ContainsRegex("\nunix +4" + numbers));
  // 9 MiB and 140 KiB of arena, or so.
  EXPECT_THAT(bench->output(), ContainsRegex("\ncxl +default +4( +[0-9.-]+){4} +9[0-9]{3} "));
  EXPECT_THAT(bench->output(), ContainsRegex("\ncxl +small +4( +[0-9.-]+){4} +1[0-9]{2} "));
  EXPECT_THAT(bench->Processes("", 0), IsEmpty());
  EXPECT_THAT(bench->Files(), IsEmpty());
}

TEST(ConnectionsBenchTest, SaysWhatThereIs) {
  const auto order = Program::Start(kConnectionsBench, {"--connections=10,1"});
  EXPECT_EQ(order->Wait(), 1);
  EXPECT_THAT(order->output(), HasSubstr("--connections=1 is not a number from 1 to 10000"));
  const auto arenas = Program::Start(kConnectionsBench, {"--arenas=huge"});
  EXPECT_EQ(arenas->Wait(), 1);
  EXPECT_THAT(arenas->output(),
              HasSubstr("There is no --arenas=huge; there are default and small."));
}

}  // namespace
}  // namespace grpc_cxl::bench
