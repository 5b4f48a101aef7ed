// SPDX-License-Identifier: Apache-2.0
// Proves that the benchmark programs measure what their flags ask for on every transport, write
// rows that make sense, leave nothing behind, and refuse unknown flags with a sentence. Whether
// the figures are good is not a matter for a test.

#include <ostream>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "bench/report/report.pb.h"
#include "gmock/gmock.h"
#include "google/protobuf/json/json.h"
#include "gtest/gtest.h"
#include "test/bench/program.h"
#include "test/support/temporary_directory.h"

namespace grpc_cxl::bench {
namespace {

using internal::Contents;
using internal::Program;
using internal::TemporaryDirectory;
using testing::ContainsRegex;
using testing::ElementsAre;
using testing::HasSubstr;
using Flags = std::vector<std::string>;

// "API BYTES TRANSPORT WAIT SERVICE PAIRS" of every row of a run of rpc_bench.
Flags RowsOf(Flags flags) {
  const TemporaryDirectory directory;
  flags.push_back(absl::StrCat("--json=", directory.path(), "/report.json"));
  Program bench("bench/rpc_bench", flags);
  EXPECT_EQ(bench.Wait(), 0) << bench.output();
  bench.ExpectNothingLeft();
  const std::string json = Contents(directory.path() + "/report.json");
  Report report;
  EXPECT_TRUE(google::protobuf::json::JsonStringToMessage(json, &report).ok()) << json;
  Flags rows;
  for (const Row& row : report.rows()) {
    rows.push_back(absl::StrCat(row.api(), " ", row.size_bytes(), " ", row.transport(), " ",
                                row.wait(), " ", row.service_api(), " ", row.pairs()));
    SCOPED_TRACE(rows.back());
    EXPECT_EQ(static_cast<uint32_t>(row.p50_us_of_rounds_size()), report.rounds());
    EXPECT_GT(row.p50_low_us(), 1);
    EXPECT_LE(row.p50_low_us(), row.p50_us());
    EXPECT_GE(row.p50_high_us(), row.p50_us());
    EXPECT_GE(row.p99_us(), row.p50_us());
    EXPECT_GT(row.calls_per_s(), 0);
    EXPECT_GT(row.cpu_us_per_call(), 1);
    EXPECT_FALSE(row.has_syscalls_per_call());
  }
  return rows;
}

TEST(RpcBenchTest, HasARowForEachCombination) {
  Flags expected;
  for (const std::string api : {"sync", "callback"}) {
    for (const std::string size : {"64", "70000"}) {
      for (const std::string contender :
           {"tcp kernel", "unix kernel", "cxl adaptive", "cxl park", "cxl spin"}) {
        expected.push_back(absl::StrCat(api, " ", size, " ", contender, " callback 1"));
      }
    }
  }
  EXPECT_EQ(RowsOf({"--transports=tcp,unix,cxl", "--wait=adaptive,park,spin", "--sizes=64,70000",
                    "--apis=sync,callback", "--concurrency=2", "--rounds=2", "--calls=20"}),
            expected);
}

TEST(RpcBenchTest, MeasuresNoBytesAndManyBothWays) {
  EXPECT_EQ(RowsOf({"--transports=tcp,network,unix,inproc,cxl,cxl_direct,cxl_own",
                    "--apis=sync,pingpong", "--sizes=0,16777216", "--rounds=1", "--calls=2"})
                .size(),
            7u * 2 * 2);
}

TEST(RpcBenchTest, MeasuresSyncServicesAndSeveralPairs) {
  EXPECT_THAT(
      RowsOf({"--transports=tcp,inproc,cxl_direct", "--sizes=64", "--pairs=2",
              "--services=callback,sync", "--rounds=1", "--calls=20"}),
      ElementsAre("sync 64 tcp kernel callback 2", "sync 64 tcp kernel sync 2",
                  "sync 64 inproc gRPC callback 2", "sync 64 inproc gRPC sync 2",
                  "sync 64 cxl_direct adaptive callback 2", "sync 64 cxl_direct adaptive sync 2"));
}

TEST(RpcBenchTest, CountsSystemCallsWhereTheKernelCan) {
  Program bench("bench/rpc_bench",
                {"--transports=unix", "--sizes=64", "--syscalls", "--rounds=1", "--calls=50"});
  if (bench.Wait() == 1) {
    ASSERT_THAT(bench.output(), HasSubstr("cannot count system calls"));
    GTEST_SKIP() << bench.output();
  }
  // Two messages, sent and received, are 4 or more; CPU, its ratio, switches, faults before.
  EXPECT_THAT(bench.output(),
              ContainsRegex("\nunix +kernel +callback( +[0-9.]+){4} +([4-9]|[1-9][0-9]+)[.]"));
}

TEST(RpcBenchTest, PinsAndDrawsAPage) {
  const TemporaryDirectory directory;
  const std::string file = directory.path() + "/report.html";
  Program bench("bench/rpc_bench",
                {"--transports=unix,cxl_direct", "--pin=no,yes", "--sizes=64,256",
                 "--concurrency=1,4", "--rounds=1", "--calls=20", "--html=" + file});
  if (bench.Wait() == 1) {
    ASSERT_THAT(bench.output(), HasSubstr("--pin=yes needs two cores"));
    GTEST_SKIP() << "there is only one core";
  }
  EXPECT_THAT(bench.output(), ContainsRegex("\ncxl_direct +adaptive +callback +yes +[0-9.]+"));
  for (const std::string text : {"<!doctype html>", "Against the size: sync", "Against the calls",
                                 "cxl_direct adaptive, pinned", "<polyline", "<rect", "</html>"}) {
    EXPECT_THAT(Contents(file), HasSubstr(text));
  }
  EXPECT_THAT(Contents(file), testing::Not(HasSubstr("http")));  // self-contained
}

TEST(ChainBenchTest, RunsEveryServiceInAProcess) {
  Program bench("bench/chain_bench",
                {"--services=5", "--transports=cxl", "--shapes=chain", "--seconds=60"});
  EXPECT_EQ(bench.child().Processes("--role=relay_server", 5).size(), 5u) << bench.output();
}

struct Run {
  std::string program;
  Flags flags;
  Flags lines;  // regular expressions for lines of the output
};

void PrintTo(const Run& run, std::ostream* out) {
  *out << run.program << " " << absl::StrJoin(run.flags, " ");
}

class RunTest : public testing::TestWithParam<Run> {};

TEST_P(RunTest, PrintsItsTable) {
  Program bench(GetParam().program, GetParam().flags);
  ASSERT_EQ(bench.Wait(), 0) << bench.output();
  for (const std::string& line : GetParam().lines) {
    EXPECT_THAT(bench.output(), ContainsRegex("\n" + line + "\n"));
  }
  bench.ExpectNothingLeft();
}

// Regular expressions for so many numbers, and for a line of Google Benchmark.
std::string Numbers(int count) { return absl::StrCat("( +[0-9.-]+){", count, "}"); }
std::string Micro(const std::string& name) { return name + "[a-z_/0-9]* +[0-9.]+ ns[^\n]*"; }

INSTANTIATE_TEST_SUITE_P(
    All, RunTest,
    testing::Values(
        // Of the copies there, with cxl: one or less.
        Run{"bench/rpc_bench",
            {"--transports=unix,cxl", "--sizes=100000", "--apis=sync,stream",
             "--payloads=string,cord", "--rounds=1", "--calls=2"},
            {"sync, 100000 bytes as string, 1 in flight", "sync, 100000 bytes as cord, 1 in flight",
             "stream, 100000 bytes as string, 1 in flight",
             "stream, 100000 bytes as cord, 1 in flight",
             "cxl +adaptive +callback" + Numbers(4) + " +[01][.][0-9]+ +[01][.][0-9]+"}},
        Run{"bench/rpc_bench",
            {"--transports=unix,cxl_direct", "--sizes=64", "--apis=callback", "--concurrency=4",
             "--handler_cpu_us=3000", "--rounds=1", "--calls=8"},
            {".*4 in flight, handlers of 3000 us of CPU time",
             "unix +kernel +callback" + Numbers(10),
             "cxl_direct +adaptive +callback" + Numbers(10)}},
        Run{"bench/rpc_bench",
            {"--faults", "--transports=unix,cxl", "--rounds=1"},
            {"unix +kernel +[0-9.]+ +100 of 100" + Numbers(2),
             "cxl +adaptive +[0-9.]+ +100 of 100" + Numbers(2)}},
        Run{"bench/rpc_bench",
            {"--parts", "--transports=unix,cxl_direct", "--calls=500"},
            {"unix +kernel +callback" + Numbers(3), "cxl_direct +adaptive +callback" + Numbers(3)}},
        Run{"bench/rpc_bench",
            {"--blocking", "--transports=cxl_direct", "--services=callback,sync", "--rounds=1"},
            {"cxl_direct +adaptive +callback" + Numbers(3),
             "cxl_direct +adaptive +sync" + Numbers(3)}},
        Run{"bench/rpc_bench",
            {"--idle=10", "--transports=cxl", "--seconds=0.05"},
            {"cxl +adaptive" + Numbers(4)}},
        // Only far memory is waited for.
        Run{"bench/rpc_bench",
            {"--transports=unix,cxl_direct", "--cxl_preset=local,pool", "--sizes=64",
             "--cxl_coherence=coherent,flush", "--rounds=1", "--calls=200"},
            {"unix" + Numbers(2) + " +0[.]0 +0%",
             "cxl_direct +local +coherent" + Numbers(2) + " +0[.]0 +0%",
             "cxl_direct +pool +coherent" + Numbers(2) + " +[1-9][0-9.]* +[0-9]+%",
             "cxl_direct +local +flush" + Numbers(2) + " +0[.]0 +0%",
             "cxl_direct +pool +flush" + Numbers(2) + " +[1-9][0-9.]* +[0-9]+%"}},
        Run{"bench/chain_bench",
            {"--services=1,3", "--rounds=1", "--seconds=0.05"},
            {"A chain of services, each calling the next, 64 bytes, by number of services",
             "A call to each service at once, until the last has answered, 64 bytes, by number of "
             "services",
             "tcp +kernel" + Numbers(3), "unix +kernel" + Numbers(3), "inproc +gRPC" + Numbers(3),
             "cxl +adaptive" + Numbers(3), "cxl_direct +adaptive" + Numbers(3)}},
        // Arenas of 9.5 MiB and of 0.7 MiB, or so. Were a connection shared, it would cost nothing.
        Run{"bench/connections_bench",
            {"--connections=4", "--transports=unix,cxl_direct", "--seconds=0.2"},
            {"unix +4" + Numbers(8),
             "cxl_direct +default +4" + Numbers(4) + " +[1-9][0-9]" + Numbers(3),
             "cxl_direct +small +4" + Numbers(4) + " +[1-9][0-9]" + Numbers(3)}},
        Run{"bench/micro/micro",
            {"--benchmark_min_time=0.001s"},
            {Micro("ring/write_and_read"), Micro("ring/limit/"), Micro("doorbell/ping_pong"),
             Micro("doorbell/limit/"), Micro("blocks/lend_and_return"), Micro("blocks/limit/"),
             Micro("calls/encode_request"), Micro("calls/limit/"), Micro("rendezvous/connect"),
             Micro("rendezvous/limit/")}}));

TEST(RefusalTest, SaysWhatThereIs) {
  struct Refusal {
    std::string program, flag, text;
  };
  for (const Refusal& refusal : std::vector<Refusal>{
           {"rpc_bench", "--transports=pigeon",
            "There is no transport 'pigeon'; there are tcp, network, unix, inproc, cxl, "
            "cxl_direct, cxl_own."},
           {"rpc_bench", "--wait=long",
            "There is no --wait=long; there are adaptive, park, spin and spin=MICROSECONDS."},
           {"rpc_bench", "--apis=rest",
            "There is no --apis=rest; there are sync, callback, stream, pingpong, one_way."},
           {"rpc_bench", "--sizes=-1", "--sizes=-1 is not a number of bytes up to 1 GiB."},
           {"rpc_bench", "--cxl_preset=moon", "--cxl_preset: \"moon\" is none of local, expander"},
           {"rpc_bench", "--json=/nonexistent/report.json",
            "Cannot write /nonexistent/report.json"},
           {"chain_bench", "--services=0", "--services=0 is not a number from 1 to 256."},
           {"connections_bench", "--connections=10,1",
            "--connections=1 is not a number from 1 to 10000"}}) {
    Program bench("bench/" + refusal.program, {refusal.flag});
    EXPECT_EQ(bench.Wait(), 1) << refusal.flag;
    EXPECT_THAT(bench.output(), HasSubstr(refusal.program + ": " + refusal.text));
  }
}

}  // namespace
}  // namespace grpc_cxl::bench
