// Proves that rpc_bench measures every transport, API, size and wait policy that it is asked
// for, writes JSON rows that make sense, and refuses what it does not know. Whether the
// numbers are good is not a matter for a test on a shared machine.

#include <fstream>
#include <sstream>
#include <string>

#include "absl/strings/str_cat.h"
#include "bench/harness/temporary_directory.h"
#include "bench/report/report.pb.h"
#include "gmock/gmock.h"
#include "google/protobuf/json/json.h"
#include "gtest/gtest.h"
#include "test/bench/program.h"

namespace grpc_cxl::bench {
namespace {

using testing::ContainsRegex;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

constexpr char kRpcBench[] = "bench/rpc_bench";

TEST(RpcBenchTest, WritesOneRowForEachCombination) {
  const auto directory = TemporaryDirectory::Create();
  ASSERT_TRUE(directory.ok());
  const std::string file = directory->path() + "/report.json";
  const auto bench =
      Program::Start(kRpcBench, {"--transports=tcp,unix,cxl", "--wait=adaptive,park,spin",
                                 "--sizes=64,70000", "--apis=sync,callback", "--concurrency=2",
                                 "--rounds=2", "--calls=20", "--json=" + file});
  ASSERT_EQ(bench->Wait(), 0) << bench->output();

  std::ostringstream json;
  json << std::ifstream(file).rdbuf();
  Report report;
  ASSERT_TRUE(google::protobuf::json::JsonStringToMessage(json.str(), &report).ok()) << json.str();
  std::vector<std::string> combinations;
  for (const Row& row : report.rows()) {
    combinations.push_back(
        absl::StrCat(row.api(), " ", row.size_bytes(), " ", row.transport(), " ", row.wait()));
    EXPECT_EQ(row.concurrency(), 2u);
    EXPECT_GT(row.p50_us(), 1);
    EXPECT_GE(row.p99_us(), row.p50_us());
    EXPECT_GT(row.calls_per_s(), 1);
    EXPECT_GT(row.cpu_us_per_call(), 1);
  }
  std::vector<std::string> expected;
  for (const std::string api : {"sync", "callback"}) {
    for (const std::string size : {"64", "70000"}) {
      for (const std::string pair :
           {"tcp kernel", "unix kernel", "cxl adaptive", "cxl park", "cxl spin"}) {
        expected.push_back(absl::StrCat(api, " ", size, " ", pair));
      }
    }
  }
  EXPECT_THAT(combinations, testing::ElementsAreArray(expected));
  EXPECT_THAT(bench->Processes("", 0), IsEmpty());
  EXPECT_THAT(bench->Files(), IsEmpty());
}

TEST(RpcBenchTest, MeasuresStreamsAndCountsCopies) {
  const auto bench =
      Program::Start(kRpcBench, {"--transports=unix,cxl", "--sizes=100000", "--apis=sync,stream",
                                 "--payloads=string,cord", "--rounds=1", "--calls=2"});
  ASSERT_EQ(bench->Wait(), 0) << bench->output();
  for (const std::string what :
       {"sync, 100000 bytes as string", "sync, 100000 bytes as cord",
        "stream, 100000 bytes as string", "stream, 100000 bytes as cord"}) {
    EXPECT_THAT(bench->output(), HasSubstr("\n" + what + ", 1 in flight\n"));
  }
  // MB/s, a share of memcpy, and a copy or less each way.
  EXPECT_THAT(bench->output(),
              ContainsRegex("\ncxl +adaptive +callback( +[0-9.]+){5} +[01][.][0-9]+"));
  EXPECT_THAT(bench->Files(), IsEmpty());
}

Report ReportOf(const std::string& file) {
  std::ostringstream json;
  json << std::ifstream(file).rdbuf();
  Report report;
  EXPECT_TRUE(google::protobuf::json::JsonStringToMessage(json.str(), &report).ok()) << json.str();
  return report;
}

TEST(RpcBenchTest, MeasuresNoBytesAndManyWithBothKindsOfPingPong) {
  const auto directory = TemporaryDirectory::Create();
  ASSERT_TRUE(directory.ok());
  const std::string file = directory->path() + "/report.json";
  const auto bench = Program::Start(
      kRpcBench, {"--transports=tcp,unix,inproc,cxl,cxl_direct", "--apis=sync,pingpong",
                  "--sizes=0,16777216", "--rounds=2", "--calls=4", "--json=" + file});
  ASSERT_EQ(bench->Wait(), 0) << bench->output();
  const Report report = ReportOf(file);
  EXPECT_EQ(report.rows_size(), 5 * 2 * 2);
  for (const Row& row : report.rows()) {
    ASSERT_EQ(row.p50_us_of_rounds_size(), 2);
    EXPECT_GT(row.p50_low_us(), 1);
    EXPECT_LE(row.p50_low_us(), row.p50_us());
    EXPECT_GE(row.p50_high_us(), row.p50_us());
    EXPECT_FALSE(row.has_syscalls_per_call());
  }
  EXPECT_THAT(bench->Files(), IsEmpty());
}

TEST(RpcBenchTest, PinsAndDrawsAPage) {
  const auto directory = TemporaryDirectory::Create();
  ASSERT_TRUE(directory.ok());
  const std::string file = directory->path() + "/report.html";
  const auto bench = Program::Start(
      kRpcBench, {"--transports=unix,cxl_direct", "--pin=no,yes", "--sizes=64,256",
                  "--concurrency=1,4", "--rounds=1", "--calls=20", "--html=" + file});
  if (bench->Wait() == 1) {
    ASSERT_THAT(bench->output(), HasSubstr("--pin=yes needs two cores"));
    GTEST_SKIP() << "there is one core only";
  }
  EXPECT_THAT(bench->output(), ContainsRegex("\ncxl_direct +adaptive +callback +yes +[0-9.]+"));
  std::ostringstream page;
  page << std::ifstream(file).rdbuf();
  for (const std::string text : {"<!doctype html>", "Against the size: sync", "Against the calls",
                                 "cxl_direct adaptive, pinned", "<polyline", "<rect", "</html>"}) {
    EXPECT_THAT(page.str(), HasSubstr(text));
  }
  EXPECT_THAT(page.str(), testing::Not(HasSubstr("http")));  // all that it needs is in it
}

TEST(RpcBenchTest, CountsSystemCallsWhereTheKernelTells) {
  const auto directory = TemporaryDirectory::Create();
  ASSERT_TRUE(directory.ok());
  const std::string file = directory->path() + "/report.json";
  const auto bench = Program::Start(kRpcBench, {"--transports=unix", "--sizes=64", "--syscalls",
                                                "--rounds=1", "--calls=50", "--json=" + file});
  if (bench->Wait() == 1) {
    ASSERT_THAT(bench->output(), HasSubstr("this kernel does not tell system calls"));
    GTEST_SKIP() << bench->output();
  }
  const Report report = ReportOf(file);
  ASSERT_EQ(report.rows_size(), 1);
  EXPECT_GE(report.rows(0).syscalls_per_call(), 4);  // two messages, sent and received
}

TEST(RpcBenchTest, MeasuresFaults) {
  const auto bench = Program::Start(kRpcBench, {"--faults", "--transports=unix,cxl", "--rounds=1"});
  EXPECT_EQ(bench->Wait(), 0) << bench->output();
  EXPECT_THAT(bench->output(), ContainsRegex("\nunix +kernel +[0-9.]+ +100 of 100 "));
  EXPECT_THAT(bench->output(), ContainsRegex("\ncxl +adaptive +[0-9.]+ +100 of 100 "));
  EXPECT_THAT(bench->Files(), IsEmpty());
}

TEST(RpcBenchTest, MeasuresSyncServicesAndSeveralPairs) {
  const auto directory = TemporaryDirectory::Create();
  ASSERT_TRUE(directory.ok());
  const std::string file = directory->path() + "/report.json";
  const auto bench = Program::Start(
      kRpcBench, {"--transports=tcp,inproc,cxl_direct", "--sizes=64", "--pairs=2",
                  "--services=callback,sync", "--rounds=1", "--calls=20", "--json=" + file});
  ASSERT_EQ(bench->Wait(), 0) << bench->output();
  std::ostringstream json;
  json << std::ifstream(file).rdbuf();
  Report report;
  ASSERT_TRUE(google::protobuf::json::JsonStringToMessage(json.str(), &report).ok()) << json.str();
  std::vector<std::string> rows;
  for (const Row& row : report.rows()) {
    rows.push_back(
        absl::StrCat(row.transport(), " ", row.wait(), " ", row.service_api(), " ", row.pairs()));
    EXPECT_GT(row.p50_us(), 1);
    EXPECT_GE(row.p99_us(), row.p50_us());
  }
  EXPECT_THAT(rows, ElementsAre("tcp kernel callback 2", "tcp kernel sync 2",
                                "inproc gRPC callback 2", "inproc gRPC sync 2",
                                "cxl_direct adaptive callback 2", "cxl_direct adaptive sync 2"));
  EXPECT_THAT(bench->Files(), IsEmpty());
}

TEST(RpcBenchTest, MeasuresPartsOfCalls) {
  const auto bench = Program::Start(kRpcBench, {"--parts", "--transports=unix,cxl_direct"});
  EXPECT_EQ(bench->Wait(), 0) << bench->output();
  const std::string numbers = "( +[0-9.]+){3}\n";
  EXPECT_THAT(bench->output(), ContainsRegex("\nunix +kernel +callback" + numbers));
  EXPECT_THAT(bench->output(), ContainsRegex("\ncxl_direct +adaptive +callback" + numbers));
}

TEST(RpcBenchTest, MeasuresCallsBesideASleepingHandler) {
  const auto bench = Program::Start(kRpcBench, {"--blocking", "--transports=cxl_direct",
                                                "--services=callback,sync", "--rounds=1"});
  EXPECT_EQ(bench->Wait(), 0) << bench->output();
  const std::string numbers = "( +[0-9.]+){3}\n";
  EXPECT_THAT(bench->output(), ContainsRegex("\ncxl_direct +adaptive +callback" + numbers));
  EXPECT_THAT(bench->output(), ContainsRegex("\ncxl_direct +adaptive +sync" + numbers));
}

TEST(RpcBenchTest, MeasuresIdleConnections) {
  const auto bench = Program::Start(kRpcBench, {"--idle=10", "--transports=cxl"});
  EXPECT_EQ(bench->Wait(), 0) << bench->output();
  EXPECT_THAT(bench->output(), ContainsRegex("\ncxl +adaptive( +[0-9.]+){4}\n"));
  EXPECT_THAT(bench->Files(), IsEmpty());
}

TEST(RpcBenchTest, MeasuresFarMemory) {
  const auto bench = Program::Start(
      kRpcBench, {"--transports=unix,cxl_direct", "--cxl_preset=local,pool", "--sizes=64",
                  "--cxl_coherence=coherent,flush", "--rounds=1", "--calls=200"});
  EXPECT_EQ(bench->Wait(), 0) << bench->output();
  const std::string waits = " +[0-9.]+ +[0-9.]+ +[1-9][0-9.]* +[0-9]+%\n";
  const std::string waits_not = " +[0-9.]+ +[0-9.]+ +0[.]0 +0%\n";
  EXPECT_THAT(bench->output(), ContainsRegex("\nunix " + waits_not));
  EXPECT_THAT(bench->output(), ContainsRegex("\ncxl_direct +local +coherent" + waits_not));
  EXPECT_THAT(bench->output(), ContainsRegex("\ncxl_direct +pool +coherent" + waits));
  EXPECT_THAT(bench->output(), ContainsRegex("\ncxl_direct +local +flush" + waits_not));
  EXPECT_THAT(bench->output(), ContainsRegex("\ncxl_direct +pool +flush" + waits));
}

struct Refusal {
  std::string flag;
  std::string text;
};

class RefusalTest : public testing::TestWithParam<Refusal> {};

TEST_P(RefusalTest, SaysWhatThereIs) {
  const auto bench = Program::Start(kRpcBench, {GetParam().flag});
  EXPECT_EQ(bench->Wait(), 1);
  EXPECT_THAT(bench->output(), HasSubstr("rpc_bench: " + GetParam().text));
}

INSTANTIATE_TEST_SUITE_P(
    All, RefusalTest,
    testing::Values(
        Refusal{"--transports=pigeon",
                "There is no transport 'pigeon'; there are tcp, unix, inproc, cxl, cxl_direct."},
        Refusal{"--wait=long", "There is no --wait=long; there are adaptive, park, spin."},
        Refusal{"--apis=rest",
                "There is no --apis=rest; there are sync, callback, stream and pingpong."},
        Refusal{"--payloads=json", "There is no --payloads=json; there are string and cord."},
        Refusal{"--sizes=-1", "--sizes=-1 is not a number of bytes up to 1 GiB."},
        Refusal{"--concurrency=0", "--concurrency=0 is not a number from 1 to 4096."},
        Refusal{"--services=rest", "There is no --services=rest; there are callback and sync."},
        Refusal{"--pin=maybe", "There is no --pin=maybe; there are yes and no."},
        Refusal{"--pairs=0", "--pairs must be from 1 to 64."},
        Refusal{"--cxl_preset=moon", "--cxl_preset: \"moon\" is none of local, expander"},
        Refusal{"--rounds=0", "--rounds must be at least 1"}));

}  // namespace
}  // namespace grpc_cxl::bench
