// SPDX-License-Identifier: Apache-2.0

// Several servers of one name, processes all of them: calls go to each; one that comes gets calls,
// one that ends or is killed loses none that it had not taken, on either path.

#include <grpc/impl/channel_arg_names.h>
#include <grpcpp/create_channel.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <chrono>
#include <fstream>
#include <functional>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/strings/str_cat.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"
#include "grpc_cxl/channel_credentials.h"
#include "grpc_cxl/connection_status.h"
#include "grpc_cxl/direct_calls.h"
#include "test/e2e/echo.grpc.pb.h"
#include "test/e2e/echo_pair.h"
#include "test/support/eventually.h"
#include "test/support/spawned_child.h"
#include "test/support/temporary_directory.h"

namespace grpc_cxl::e2e {
namespace {

using internal::Eventually;
using internal::SpawnedChild;

class ReplicasTest : public ::testing::Test {
 protected:
  ReplicasTest() {
    for (const std::string name : {"ours", "strange"}) {
      std::ofstream(Secret(name)) << name << " secret, long enough";
      EXPECT_EQ(chmod(Secret(name).c_str(), 0600), 0);
    }
  }
  std::string Secret(const std::string& name) const { return secrets_.path() + "/" + name; }

  void Start(const std::string& number, const std::string& secret = "ours") {
    servers_[number] = std::make_unique<SpawnedChild>(
        "test/e2e/restart_server",
        std::vector<std::string>{"--address=" + address_, "--number=" + number, "--replica",
                                 "--leave=false", "--directory=" + directory_.path()},
        internal::SpawnOptions{.environment = {{"GRPC_CXL_SECRET_FILE", Secret(secret)}}});
    ASSERT_EQ(servers_[number]->ReadLine(), "serving");
  }

  std::unique_ptr<Echo::Stub> MakeStub(bool direct, const std::string& policy = "pick_first") {
    ChannelOptions options;
    options.rendezvous_directory = directory_.path();
    options.secret_file = Secret("ours");
    options.direct_calls = direct;
    grpc::ChannelArguments arguments;
    arguments.SetInt(GRPC_ARG_USE_LOCAL_SUBCHANNEL_POOL, 1);
    arguments.SetLoadBalancingPolicyName(policy);
    const auto channel =
        grpc::CreateCustomChannel(address_, ChannelCredentials(options), arguments);
    Connect(*channel);
    return Echo::NewStub(channel);
  }

  // The server that answers; or what went wrong.
  static std::string Call(Echo::Stub& stub) {
    grpc::ClientContext context;
    context.set_deadline(std::chrono::system_clock::now() + std::chrono::seconds(30));
    EchoResponse response;
    const grpc::Status status = stub.Unary(&context, {}, &response);
    return status.ok() ? response.payload() : "failed: " + status.error_message();
  }
  static bool ReachesAll(Echo::Stub& stub, const std::set<std::string>& expected) {
    std::set<std::string> reached;
    return Eventually([&] {
      reached.insert(Call(stub));
      return reached == expected;
    });
  }
  // Begins calls until there are `enough`, does something, and waits for all of them, which are to
  // be OK and direct.
  static void CallMany(Echo::Stub& stub, const std::function<bool(size_t calls)>& enough,
                       const std::function<void()>& meanwhile) {
    struct OneCall {
      grpc::ClientContext context;
      EchoRequest request;
      EchoResponse response;
    };
    std::vector<std::unique_ptr<OneCall>> all;
    absl::Mutex mu;
    int left = 0;
    std::vector<std::string> failed;
    EXPECT_TRUE(Eventually([&] {
      if (enough(all.size())) return true;
      OneCall& call = *all.emplace_back(std::make_unique<OneCall>());
      call.context.set_deadline(std::chrono::system_clock::now() + std::chrono::seconds(30));
      {
        absl::MutexLock lock(mu);
        ++left;
      }
      stub.async()->Unary(&call.context, &call.request, &call.response, [&](grpc::Status status) {
        absl::MutexLock lock(mu);
        if (!status.ok()) failed.push_back(status.error_message());
        if (call.response.requests() != 0) failed.push_back("it went over HTTP/2");
        --left;
      });
      return false;
    }));
    meanwhile();
    absl::MutexLock lock(mu);
    mu.Await(absl::Condition(
        +[](int* n) { return *n == 0; }, &left));
    EXPECT_TRUE(failed.empty()) << failed.size() << " calls failed: " << failed.front();
  }

  const internal::TemporaryDirectory directory_, secrets_;
  const std::string address_ = "cxl:///e2e/search";
  std::map<std::string, std::unique_ptr<SpawnedChild>> servers_;
};

TEST_F(ReplicasTest, DirectCallsGoToAllAndNoneThatWasNotTakenIsLost) {
  for (const char* number : {"1", "2", "3", "4"}) Start(number);
  Start("9", "strange");  // to be left alone, as on the stream path below
  const auto stub = MakeStub(/*direct=*/true);
  ASSERT_TRUE(ReachesAll(*stub, {"1", "2", "3", "4"}));

  // It takes none of the calls that are waiting for it when it dies.
  servers_["2"]->Stop();
  const uint64_t not_taken = GetDirectCallStats().not_taken;
  const auto waits_for_it = [&](size_t) {
    for (const ConnectionStatus& connection : GetConnectionStatus()) {
      if (connection.peer_pid == servers_["2"]->pid() && connection.direct_calls_running > 0) {
        return true;
      }
    }
    return false;
  };
  CallMany(*stub, waits_for_it, [&] { servers_["2"]->Kill(); });
  EXPECT_GT(GetDirectCallStats().not_taken, not_taken);
  for (int i = 0; i < 100; ++i) EXPECT_NE(Call(*stub), "2");

  Start("5");
  EXPECT_TRUE(ReachesAll(*stub, {"1", "3", "4", "5"}));

  // One that ends in order.
  CallMany(
      *stub, [](size_t calls) { return calls == 100; },
      [&] { EXPECT_EQ(servers_["3"]->Finish(), 0); });
  EXPECT_TRUE(ReachesAll(*stub, {"1", "4", "5"}));
}

TEST_F(ReplicasTest, CallsThatWaitAtAStoppedServerGoElsewhereAndItComesBack) {
  for (const char* number : {"1", "2"}) Start(number);
  const auto stub = MakeStub(/*direct=*/true);
  ASSERT_TRUE(ReachesAll(*stub, {"1", "2"}));
  const auto calls_there = [&] {
    uint64_t calls = 0;
    for (const ConnectionStatus& connection : GetConnectionStatus()) {
      if (connection.peer_pid == servers_["2"]->pid()) calls += connection.direct_calls_running;
    }
    return calls;
  };
  servers_["2"]->Stop();
  // The callback API.
  CallMany(
      *stub, [&](size_t) { return calls_there() > 0; }, [] {});
  EXPECT_GT(calls_there(), 0u) << "its slots wait for it";
  // A thread that waits.
  servers_["2"]->Continue();
  ASSERT_TRUE(ReachesAll(*stub, {"1", "2"}));
  EXPECT_TRUE(Eventually([&] { return calls_there() == 0; }));
  servers_["2"]->Stop();
  const uint64_t not_taken = GetDirectCallStats().not_taken;
  EXPECT_TRUE(Eventually([&] {
    EXPECT_EQ(Call(*stub), "1");
    return GetDirectCallStats().not_taken > not_taken;
  }));
  servers_["2"]->Continue();
  EXPECT_TRUE(ReachesAll(*stub, {"1", "2"}));
}

TEST_F(ReplicasTest, OnTheStreamPathConnectionsAreSpread) {
  for (const char* number : {"1", "2", "3"}) Start(number);
  Start("9", "strange");
  std::set<std::string> picked;
  EXPECT_TRUE(Eventually([&] {
    picked.insert(Call(*MakeStub(/*direct=*/false)));
    return picked.size() >= 3;
  }));
  const auto first = MakeStub(/*direct=*/false);
  const auto all = MakeStub(/*direct=*/false, "round_robin");
  EXPECT_TRUE(ReachesAll(*all, {"1", "2", "3"}));
  Start("4");
  picked.insert("4");
  EXPECT_TRUE(ReachesAll(*all, {"1", "2", "3", "4"}));

  // gRPC connects to another one.
  const std::string before = Call(*first);
  servers_[before]->Kill();
  std::string after;
  EXPECT_TRUE(Eventually([&] { return picked.count(after = Call(*first)) > 0; })) << after;
  EXPECT_NE(after, before);
}

}  // namespace
}  // namespace grpc_cxl::e2e
