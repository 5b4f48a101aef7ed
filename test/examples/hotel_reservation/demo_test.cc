// SPDX-License-Identifier: Apache-2.0
// Proves that the demo compares the transports in a table, JSON and HTML, that it leaves no process
// and no file behind however it ends, that `load` finds what it serves, and that it says which
// service has died.

#include <signal.h>

#include <filesystem>
#include <map>
#include <optional>
#include <string>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "test/bench/program.h"
#include "test/support/spawned_child.h"
#include "test/support/temporary_directory.h"

namespace hotel_reservation {
namespace {

using grpc_cxl::internal::Contents;
using grpc_cxl::internal::Program;
using grpc_cxl::internal::SpawnedChild;
using grpc_cxl::internal::TemporaryDirectory;
using testing::AllOf;
using testing::ContainsRegex;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;

constexpr char kDemo[] = "examples/hotel_reservation/demo";

class DemoTest : public testing::Test {
 protected:
  // Waits until a demo is in a step that would take minutes.
  void AwaitLoad(Program& demo) {
    ASSERT_EQ(demo.child().Processes("hotel_reservation/load", 1).size(), 1u);
    // The demo, the load generator and the services.
    ASSERT_EQ(demo.child().Processes("hotel_reservation/", 10).size(), 10u);
  }

  const TemporaryDirectory directory_;
  const std::string html_ = directory_.path() + "/report.html";
  const std::string json_ = directory_.path() + "/report.json";
  const std::vector<std::string> long_ = {"--transports=cxl", "--step_seconds=300",
                                          "--html=" + html_};
};

TEST_F(DemoTest, ComparesTransports) {
  Program demo(kDemo, {"--transports=tcp,cxl/1", "--step_seconds=0.1", "--seconds=1",
                       "--html=" + html_, "--json=" + json_});
  EXPECT_EQ(demo.Wait(), 0) << demo.output();
  EXPECT_THAT(demo.output(),
              AllOf(ContainsRegex("\ntcp( +[0-9.-]+){10} +[?]\n  lowest( +[0-9.-]+){11}\n"
                                  "  highest( +[0-9.-]+){11}\n"),
                    ContainsRegex("\ncxl/1( +[0-9.?-]+){11}\n"),
                    ContainsRegex("  cxl/1: [0-9]+ of [0-9]+ requests failed"),
                    HasSubstr("\nthis machine is too busy to tell: most served of tcp "),
                    HasSubstr("Report: " + html_)));
  EXPECT_THAT(Contents(html_), AllOf(HasSubstr("<!doctype html>"), HasSubstr("<polyline points=\""),
                                     HasSubstr("</html>"), Not(HasSubstr("<script"))));
  EXPECT_THAT(Contents(json_), AllOf(HasSubstr("\"transport\": \"cxl/1\""), HasSubstr("p999_ms"),
                                     HasSubstr("\"lowest\": "), HasSubstr("\"too_busy\": [")));
  demo.ExpectNothingLeft();
}

TEST_F(DemoTest, ComparesWithAndWithoutAJob) {
  Program demo(kDemo, {"--transports=cxl/1", "--scan=4", "--rate=50", "--run_seconds=0.3",
                       "--rounds=1", "--capacity=2"});
  EXPECT_EQ(demo.Wait(), 0) << demo.output();
  EXPECT_THAT(demo.output(),
              AllOf(ContainsRegex("\nno job( +[0-9.]+){5} +- +- +-\n"),
                    ContainsRegex("\na job, with priorities( +[0-9.]+){8}\n"),
                    ContainsRegex("\na job, without priorities( +[0-9.]+){6} +1.00 +[0-9.]+\n"),
                    ContainsRegex("\nthe same, and without a capacity( +[0-9.]+){7} +1.00\n")));
  demo.ExpectNothingLeft();
}

TEST(ServeTest, ListensWhereLoadLooks) {
  const TemporaryDirectory home("/tmp");
  const std::map<std::string, std::optional<std::string>> environment = {
      {"TMPDIR", home.path()}, {"GRPC_CXL_DIR", home.path()}};
  for (const std::string transport : {"unix", "cxl"}) {
    const std::string processes = transport == "unix" ? "--processes=8" : "--processes=1";
    SpawnedChild demo(kDemo, {"--serve=" + transport, processes, "--http=127.0.0.1:0"},
                      {.environment = environment, .read_stderr = true});
    const std::string flag = "--transport=" + transport;
    ASSERT_TRUE(demo.ReadUntil("Load: ./bazelw run -c opt //examples/hotel_reservation:load -- " +
                               flag + "\n"))
        << demo.output();
    SpawnedChild load("examples/hotel_reservation/load",
                      {flag, "--rate=50", "--seconds=0.2", "--warmup=0"},
                      {.environment = environment});
    EXPECT_EQ(load.Finish(), 0);
    EXPECT_THAT(load.output(), HasSubstr("served 50/s, 0 errors"));
    SpawnedChild second(kDemo, {"--serve=" + transport},
                        {.environment = environment, .read_stderr = true});
    EXPECT_EQ(second.Finish(), 1);
    EXPECT_THAT(second.output(), HasSubstr("serves there already"));
    ASSERT_EQ(kill(demo.pid(), SIGINT), 0);
    EXPECT_EQ(demo.Finish(), 0) << demo.output();
  }
}

TEST_F(DemoTest, LeavesNothingBehind) {
  Program interrupted(kDemo, long_);
  AwaitLoad(interrupted);
  ASSERT_EQ(kill(interrupted.child().pid(), SIGINT), 0);
  EXPECT_EQ(interrupted.Wait(), 130);
  EXPECT_THAT(interrupted.output(), HasSubstr("demo: Interrupted.\n"));
  EXPECT_FALSE(std::filesystem::exists(html_));
  interrupted.ExpectNothingLeft();
  Program killed(kDemo, long_);
  AwaitLoad(killed);
  killed.child().Kill();
  EXPECT_THAT(killed.child().Processes("", 0), IsEmpty());
}

TEST_F(DemoTest, NamesADeadServiceAndShowsItsLog) {
  Program demo(kDemo, long_);
  AwaitLoad(demo);
  ASSERT_EQ(kill(demo.child().Processes("hotel_reservation/geo", 1).at(0), SIGSEGV), 0);
  EXPECT_EQ(demo.Wait(), 1);
  EXPECT_THAT(demo.output(),
              AllOf(ContainsRegex("demo: A service ended on cxl: geo \\(pid [0-9]+\\) was killed "
                                  "by signal 11 \\(Segmentation fault\\)"),
                    HasSubstr("It printed:\ngeo listens on cxl:///hotel-geo")));
  demo.ExpectNothingLeft();
}

TEST_F(DemoTest, RefusesWhatItDoesNotKnow) {
  Program demo(kDemo, {"--transports=tcp,pigeon"});
  EXPECT_EQ(demo.Wait(), 1);
  EXPECT_EQ(demo.output(),
            "demo: There is no transport 'pigeon'; there are tcp, unix, cxl, auto.\n");
  Program geo("examples/hotel_reservation/geo", {"--transport=tcp", "--base=x"});
  EXPECT_EQ(geo.Wait(), 1);
  EXPECT_EQ(
      geo.output(),
      "geo: --base=x is no port from 1 to 65528 (7100), nor the beginning of hosts' names and such "
      "a port (hotel-:7100), as --transport=tcp needs.\n");
}

}  // namespace
}  // namespace hotel_reservation
