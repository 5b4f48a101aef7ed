// Proves that the demo compares the transports in a table, JSON and HTML, that it leaves no
// process and no file behind however it ends, and that it says which service has died.

#include <signal.h>

#include <filesystem>
#include <fstream>
#include <memory>
#include <sstream>

#include "bench/harness/temporary_directory.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "test/bench/program.h"

namespace hotel_reservation {
namespace {

using grpc_cxl::bench::Program;
using grpc_cxl::bench::TemporaryDirectory;
using testing::AllOf;
using testing::ContainsRegex;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;

constexpr char kDemo[] = "examples/hotel_reservation/demo";

std::string Contents(const std::string& file) {
  std::ostringstream text;
  text << std::ifstream(file).rdbuf();
  return text.str();
}

// A demo in the middle of a step that would take minutes.
std::unique_ptr<Program> LongDemo(const std::string& html = "") {
  auto demo = Program::Start(kDemo, {"--transports=cxl", "--step_seconds=300", "--html=" + html});
  EXPECT_EQ(demo->Processes("hotel_reservation/load", 1).size(), 1u);
  EXPECT_EQ(demo->Processes("hotel_reservation/", 10).size(), 10u);  // demo, load, services
  return demo;
}

void ExpectNothingLeft(const Program& demo) {
  EXPECT_THAT(demo.Processes("", 0), IsEmpty());
  EXPECT_THAT(demo.Files(), IsEmpty());
}

TEST(DemoTest, ComparesTransports) {
  const auto directory = TemporaryDirectory::Create();
  const std::string html = directory->path() + "/report.html";
  const std::string json = directory->path() + "/report.json";
  const auto demo = Program::Start(
      kDemo, {"--transports=tcp,cxl", "--step_seconds=0.1", "--html=" + html, "--json=" + json});
  EXPECT_EQ(demo->Wait(), 0) << demo->output();
  EXPECT_THAT(demo->output(), AllOf(ContainsRegex("\ntcp( +[0-9.-]+){11}\n"),
                                    ContainsRegex("\ncxl( +[0-9.-]+){11}\n"),
                                    ContainsRegex("  cxl: [0-9]+ of [0-9]+ requests failed"),
                                    HasSubstr("Report: " + html)));
  EXPECT_THAT(Contents(html), AllOf(HasSubstr("<!doctype html>"), HasSubstr("<polyline points=\""),
                                    HasSubstr("</html>"), Not(HasSubstr("<script"))));
  EXPECT_THAT(Contents(json), AllOf(HasSubstr("\"transport\": \"cxl\""), HasSubstr("p999_ms")));
  ExpectNothingLeft(*demo);
}

TEST(DemoTest, LeavesNothingBehindAfterCtrlC) {
  const auto directory = TemporaryDirectory::Create();
  const std::string html = directory->path() + "/report.html";
  const auto demo = LongDemo(html);
  ASSERT_EQ(kill(demo->pid(), SIGINT), 0);
  EXPECT_EQ(demo->Wait(), 130);
  EXPECT_THAT(demo->output(), HasSubstr("demo: Interrupted.\n"));
  EXPECT_FALSE(std::filesystem::exists(html));
  ExpectNothingLeft(*demo);
}

TEST(DemoTest, LeavesNoProcessBehindWhenKilled) {
  const auto demo = LongDemo();
  ASSERT_EQ(kill(demo->pid(), SIGKILL), 0);
  EXPECT_EQ(demo->Wait(), 128 + SIGKILL);
  EXPECT_THAT(demo->Processes("", 0), IsEmpty());
}

TEST(DemoTest, NamesADeadServiceAndShowsItsLog) {
  const auto demo = LongDemo();
  const auto geo = demo->Processes("hotel_reservation/geo", 1);
  ASSERT_EQ(geo.size(), 1u);
  ASSERT_EQ(kill(geo[0], SIGSEGV), 0);
  EXPECT_EQ(demo->Wait(), 1);
  EXPECT_THAT(demo->output(),
              AllOf(ContainsRegex("demo: A service ended on cxl: geo \\(pid [0-9]+\\) was killed "
                                  "by signal 11 \\(Segmentation fault\\)"),
                    HasSubstr("It printed:\ngeo listens on cxl:///hotel-geo")));
  ExpectNothingLeft(*demo);
}

TEST(DemoTest, RefusesWhatItDoesNotKnow) {
  const auto demo = Program::Start(kDemo, {"--transports=tcp,pigeon"});
  EXPECT_EQ(demo->Wait(), 1);
  EXPECT_EQ(demo->output(), "demo: There is no transport 'pigeon'; there are tcp, unix, cxl.\n");
  const auto geo =
      Program::Start("examples/hotel_reservation/geo", {"--transport=tcp", "--base=x"});
  EXPECT_EQ(geo->Wait(), 1);
  EXPECT_EQ(geo->output(), "geo: --base=x is no port from 1 to 65528, as --transport=tcp needs.\n");
}

}  // namespace
}  // namespace hotel_reservation
