// Proves that many connections are measured, that arenas of different sizes show in the memory
// of a connection, and that a server which takes no more is told as the end and not as an error.

#include <fstream>
#include <sstream>
#include <string>

#include "bench/harness/temporary_directory.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "test/bench/program.h"

namespace grpc_cxl::bench {
namespace {

using testing::ContainsRegex;
using testing::HasSubstr;
using testing::IsEmpty;

constexpr char kConnectionsBench[] = "bench/connections_bench";

std::string TextOf(const std::string& file) {
  std::ostringstream text;
  text << std::ifstream(file).rdbuf();
  return text.str();
}

TEST(ConnectionsBenchTest, MeasuresEachNumberOfConnections) {
  const auto directory = TemporaryDirectory::Create();
  ASSERT_TRUE(directory.ok());
  const std::string json = directory->path() + "/report.json", html = directory->path() + "/r.html";
  const auto bench = Program::Start(
      kConnectionsBench,
      {"--connections=1,4", "--transports=unix,cxl", "--json=" + json, "--html=" + html});
  ASSERT_EQ(bench->Wait(), 0) << bench->output();
  EXPECT_THAT(bench->output(), ContainsRegex("\nunix +1( +[0-9.-]+){3}\n"));
  EXPECT_THAT(bench->output(), ContainsRegex("\nunix +4( +[0-9.-]+){8}\n"));
  // 9 MiB and 140 KiB of arena, or so.
  EXPECT_THAT(bench->output(), ContainsRegex("\ncxl +default +4( +[0-9.-]+){4} +9[0-9]{3} "));
  EXPECT_THAT(bench->output(), ContainsRegex("\ncxl +small +4( +[0-9.-]+){4} +1[0-9]{2} "));
  EXPECT_THAT(bench->Processes("", 0), IsEmpty());
  EXPECT_THAT(bench->Files(), IsEmpty());
  EXPECT_THAT(TextOf(json), HasSubstr("\"arena\": \"small\""));
  EXPECT_THAT(TextOf(html), HasSubstr("cxl, small arenas"));
}

// Channels of one process share the connection of their direct calls unless they differ, and then
// there would be nothing to measure.
TEST(ConnectionsBenchTest, DirectCallsHaveConnectionsOfTheirOwn) {
  const auto bench = Program::Start(
      kConnectionsBench, {"--connections=1,4", "--transports=cxl_direct", "--arenas=default"});
  ASSERT_EQ(bench->Wait(), 0) << bench->output();
  EXPECT_THAT(bench->output(),
              ContainsRegex("\ncxl_direct +default +4( +[0-9.-]+){4} +9[0-9]{3} "));
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
