// SPDX-License-Identifier: Apache-2.0
// Proves that cxl_stat shows a server, its client and what passes between them, each end's page by
// itself and both joined; that no call took its client less time than its server; that a killed
// process is shown no more and leaves nothing; and that hostile pages do no harm.
#include <fcntl.h>
#include <grpcpp/grpcpp.h>
#include <sched.h>
#include <sys/stat.h>
#include <unistd.h>

#include <fstream>
#include <sstream>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "grpc_cxl/base/layout_version.h"
#include "grpc_cxl/base/library_version.h"
#include "grpc_cxl/status/status_page.h"
#include "gtest/gtest.h"
#include "nlohmann/json.hpp"
#include "test/e2e/child.h"
#include "test/e2e/client_call.h"
#include "test/e2e/echo_pair.h"
#include "test/support/eventually.h"
#include "test/support/spawned_child.h"
#include "test/support/temporary_directory.h"

namespace grpc_cxl::internal {
namespace {

using ::nlohmann::json;
using ::testing::AllOf;
using ::testing::ContainsRegex;
using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::SizeIs;

class CxlStatTest : public testing::Test {
 protected:
  std::string Run(std::vector<std::string> flags) const {
    flags.push_back("--dir=" + directory_.path());
    SpawnedChild tool("grpc_cxl/tools/cxl_stat", flags, {.environment = {}, .read_stderr = true});
    EXPECT_EQ(tool.Finish(), 0) << tool.output();
    return tool.output();
  }
  json Json() const { return json::parse(Run({"--json"})); }
  e2e::Child Start(const std::string& role) const {
    return {role, e2e::TransportKind::kCxlDirect, directory_.path()};
  }

  const TemporaryDirectory directory_{"/tmp"};
};

TEST_F(CxlStatTest, SaysItsVersion) {
  for (const char* tool : {"cxl_stat", "cxl_region"}) {
    SpawnedChild child(std::string("grpc_cxl/tools/") + tool, {"--version"});
    EXPECT_EQ(child.Finish(), 0);
    EXPECT_EQ(child.output(), absl::StrCat("grpc_cxl ", kLibraryVersion, ", layout ",
                                           kLayoutVersion, ", gRPC ", grpc::Version(), "\n"));
  }
}

TEST_F(CxlStatTest, ShowsBothEndsOfAConnection) {
  auto server = Start("server");
  ASSERT_EQ(server.ReadLine(), "serving");
  auto client = Start("busy_client");
  json serving, calling, accepted, connection;
  ASSERT_TRUE(Eventually([&] {
    const json all = Json();
    if (all["processes"].size() != 2) return false;
    serving = all["processes"][0];
    calling = all["processes"][1];
    for (const json& one : calling["connections"]) {
      for (const json& other : serving["connections"]) {
        if (one["arena"] != other["arena"] || one["latency_sum"] == 0) continue;
        connection = one;
        accepted = other;
      }
    }
    return !connection.is_null() && accepted["latency_sum"] > 0;
  }));
  EXPECT_EQ(serving["pid"], server.pid());
  EXPECT_EQ(serving["uid"], geteuid());
  EXPECT_EQ(serving["names"][0]["name"], "e2e/echo");
  EXPECT_GE(serving["names"][0]["accepted"], 1);
  EXPECT_GT(serving["served"], 0);
  ASSERT_THAT(serving["threads"], Not(SizeIs(0)));
  EXPECT_EQ(serving["threads"][0]["wait_policy"], "adaptive");
  EXPECT_EQ(calling["grpc_version"], grpc::Version());
  EXPECT_GE(calling["memory_connections"], 1);
  EXPECT_GT(calling["direct"], 0);
  EXPECT_EQ(connection["side"], "client");
  EXPECT_EQ(accepted["side"], "server");
  EXPECT_NE(connection["arena"], 0);
  EXPECT_EQ(connection["peer_pid"], server.pid());
  EXPECT_EQ(accepted["peer_pid"], client.pid());
  EXPECT_EQ(connection["trust"], "the same namespaces");
  EXPECT_GT(connection["call_bytes_out"], 0);
  EXPECT_GT(connection["ring_bytes_out"], 0);
  for (const json& end : {connection, accepted}) {
    EXPECT_THAT(end["latencies"], Not(SizeIs(0)));
    EXPECT_GT(end["outcomes"]["OK"], 0);
  }

  const std::string both = "\ne2e/echo +e2e_child:" + std::to_string(client.pid()) +
                           " +e2e_child:" + std::to_string(server.pid()) + " ";
  EXPECT_THAT(Run({"--once"}), AllOf(HasSubstr("2 processes and "), ContainsRegex(both)));
  const std::string narrow = Run({"--once", "--width=80"});
  EXPECT_THAT(narrow, ContainsRegex(both));
  EXPECT_THAT(narrow, Not(ContainsRegex("\n[^\n]{81,}\n")));

  std::stringstream maps;
  maps << std::ifstream("/proc/" + std::to_string(server.pid()) + "/maps").rdbuf();
  EXPECT_THAT(maps.str(),
              HasSubstr("/memfd:grpc_cxl:e2e/echo,pid=" + std::to_string(client.pid()) + ",uid="));

  server.Kill();
  EXPECT_EQ(Json()["processes"].size(), 1);
  client.Kill();
  EXPECT_EQ(Json()["processes"].size(), 0);
  EXPECT_THAT(directory_.List(), SizeIs(2)) << "only those of the name are left";
}

// On one core a server runs, and has answered, while its client still tells it of the call.
TEST_F(CxlStatTest, ACallTakesItsClientAtLeastTheTimeThatItTakesTheServer) {
  cpu_set_t all_cores, first;
  ASSERT_EQ(sched_getaffinity(0, sizeof(all_cores), &all_cores), 0);
  CPU_ZERO(&first);
  for (int core = 0; CPU_COUNT(&first) == 0; ++core) {
    if (CPU_ISSET(core, &all_cores)) CPU_SET(core, &first);
  }
  ASSERT_EQ(sched_setaffinity(0, sizeof(first), &first), 0);
  auto server = Start("server");
  ASSERT_EQ(server.ReadLine(), "serving");
  const auto transport = e2e::Transport::Join(e2e::TransportKind::kCxlDirect, directory_.path());
  const auto stub = e2e::Echo::NewStub(e2e::MakeChannel(*transport));
  for (int i = 0; i < 200; ++i) {
    e2e::ClientCall call = e2e::CallOfSize(100);
    call.api = i % 2 == 0 ? e2e::ClientApi::kSync : e2e::ClientApi::kCallback;
    ASSERT_TRUE(e2e::Perform(stub.get(), call).status.ok());
  }
  json called = json::object(), served = json::object();
  ASSERT_TRUE(Eventually([&] {
    const json all = Json();
    for (const json& process : all["processes"]) {
      for (const json& end : process["connections"])
        (end["side"] == "client" ? called : served) = end;
    }
    return called.value("calls", 0) >= 150 && called["outcomes"] == served["outcomes"];
  })) << called
      << "\n"
      << served;
  EXPECT_GE(called["latency_sum"], served["latency_sum"]);
  ASSERT_EQ(sched_setaffinity(0, sizeof(all_cores), &all_cores), 0);
}

// A client that may not write there has no page, and its calls do not notice.
TEST_F(CxlStatTest, WithoutAPageCallsGoOn) {
  if (geteuid() != 0) GTEST_SKIP() << "only root can start processes of another user";
  ASSERT_EQ(chmod(directory_.path().c_str(), 0755), 0);
  const SpawnOptions allow{.environment = {{"GRPC_CXL_ALLOWED_UIDS", "4711"}}};
  e2e::Child server("server", e2e::TransportKind::kCxlDirect, directory_.path(), {}, allow);
  ASSERT_EQ(server.ReadLine(), "serving");
  e2e::Child client("client", e2e::TransportKind::kCxlDirect, directory_.path(), {"--uid=4711"});
  EXPECT_EQ(client.ReadLine(), "unary 0 ");
  json all;
  ASSERT_TRUE(Eventually([&] {
    all = Json();
    return all["processes"].size() == 1 && !all["processes"][0]["connections"].empty();
  }));
  EXPECT_EQ(all["processes"][0]["pid"], server.pid());
  EXPECT_EQ(all["processes"][0]["connections"][0]["trust"], "a stranger");
  EXPECT_THAT(Run({"--once"}), ContainsRegex("e2e/echo +:" + std::to_string(client.pid()) + " "));
}

TEST_F(CxlStatTest, HostilePagesDoNoHarm) {
  StatusPage page;
  SetText(page.process.command, "\x1b[31mred");
  page.connections.resize(2);  // the same arena twice, from both sides
  page.connections[0].side = page.connections[1].side = 7;
  page.connections[0].trust = 77;
  page.connections[0].ring_fill_out = UINT64_MAX;
  page.connections[0].latency[3] = UINT64_MAX;
  const std::string path = directory_.path() + "/1-00000000.status";
  std::ofstream(path) << EncodeStatus(page);
  // Alive as long as we hold its lock.
  const UniqueFd file(open(path.c_str(), O_RDWR | O_CLOEXEC));
  struct flock lock {};
  lock.l_type = F_WRLCK;
  ASSERT_EQ(fcntl(file.get(), F_OFD_SETLK, &lock), 0);
  EXPECT_THAT(Run({"--once"}), AllOf(HasSubstr("?[31mred"), Not(HasSubstr("\x1b"))));
  EXPECT_EQ(Json()["processes"][0]["connections"].size(), 2);
  std::ofstream(path) << "nonsense, and less than a page";
  EXPECT_EQ(Json()["problems"].size(), 1);
}

}  // namespace
}  // namespace grpc_cxl::internal
