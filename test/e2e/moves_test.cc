// SPDX-License-Identifier: Apache-2.0

// A channel goes to a local server when one appears at the address of its connection over the
// network, and back when that goes: no call fails by it, none is made twice, and calls that run end
// where they began.

#include <gmock/gmock.h>
#include <grpcpp/create_channel.h>
#include <grpcpp/security/credentials.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <atomic>
#include <iostream>
#include <map>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/functional/function_ref.h"
#include "absl/log/check.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "grpc_cxl/connection_counters.h"
#include "grpc_cxl/direct_calls.h"
#include "grpc_cxl/rendezvous/host_name.h"
#include "grpc_cxl/rendezvous/name_listener.h"
#include "grpc_cxl/rendezvous/rendezvous_directory.h"
#include "test/e2e/network_address.h"
#include "test/event_engine/test_server.h"
#include "test/support/eventually.h"
#include "test/support/temporary_directory.h"

namespace grpc_cxl::e2e {
namespace {

using internal::Eventually;
using ::testing::StartsWith;

// How often each call ran, by its payload.
class Runs {
 public:
  void Add(const std::string& id) {
    absl::MutexLock lock(mu_);
    ++runs_[id];
  }
  std::map<std::string, int> all() {
    absl::MutexLock lock(mu_);
    return runs_;
  }

 private:
  absl::Mutex mu_;
  std::map<std::string, int> runs_ ABSL_GUARDED_BY(mu_);
};

// Notes what it runs, and says by which path a call came.
class Noting final : private Echo::Service {
 public:
  Noting(Runs* runs, const std::string& address,
         std::shared_ptr<grpc::ServerCredentials> credentials, bool direct = false)
      : runs_(runs) {
    grpc::ServerBuilder builder;
    builder.AddListeningPort(address, credentials, &port_);
    builder.RegisterService(this);
    server_ = builder.BuildAndStart();
    CHECK(server_ != nullptr) << address;
    if (direct) CHECK_OK(EnableDirectCalls(*server_));
  }
  // Lets its calls end.
  ~Noting() override { Shutdown(*server_, absl::Now() + absl::Minutes(1)); }

  int port() const { return port_; }

 private:
  std::string Note(const grpc::ServerContext& context, const EchoRequest& request) {
    runs_->Add(request.payload().substr(0, request.payload().find(' ')));
    return CallPeer(context).has_value() ? "memory" : "network";
  }
  grpc::Status Unary(grpc::ServerContext* context, const EchoRequest* request,
                     EchoResponse* response) override {
    response->set_payload(Note(*context, *request));
    return grpc::Status::OK;
  }
  grpc::Status Bidi(grpc::ServerContext* context,
                    grpc::ServerReaderWriter<EchoResponse, EchoRequest>* stream) override {
    EchoRequest request;
    EchoResponse response;
    while (stream->Read(&request)) {
      response.set_payload(Note(*context, request));
      stream->Write(response);
    }
    return grpc::Status::OK;
  }

  Runs* const runs_;
  int port_ = 0;
  std::unique_ptr<grpc::Server> server_;
};

class MovesTest : public ::testing::Test, protected NetworkHost {
 protected:
  std::unique_ptr<AddressServer> Ours(const std::string& address) {
    return std::make_unique<AddressServer>(address, ServerCredentials(server_options()));
  }
  // Whether the calls of the channel soon come this way; none may fail.
  static bool SoonBy(const std::string& path, const std::shared_ptr<grpc::Channel>& channel) {
    return Eventually([&] {
      const std::string answer = NetworkHost::Call(channel);
      EXPECT_FALSE(absl::StartsWith(answer, "error")) << answer;
      return absl::StartsWith(answer, path);
    });
  }

  const AddressServer remote_{"127.0.0.1:0", grpc::InsecureServerCredentials()};
  const std::string address_ = At("127.0.0.1", remote_.port());
};

TEST_F(MovesTest, AnIdleConnectionMovesToAServerThatComes) {
  const auto channel = Channel(address_);
  EXPECT_THAT(Call(channel), StartsWith("ipv4:"));
  const uint64_t before = GetConnectionCounters().moved;
  const auto local = Ours(address_);
  EXPECT_TRUE(Eventually([&] { return channel->GetState(false) == GRPC_CHANNEL_IDLE; }));
  EXPECT_EQ(GetConnectionCounters().moved, before + 1);
  EXPECT_THAT(Call(channel), StartsWith(kMemory));
}

TEST_F(MovesTest, AChannelComesAndGoesWithEachOfItsServers) {
  const AddressServer other("127.0.0.1:0", grpc::InsecureServerCredentials());
  grpc::ChannelArguments arguments;
  arguments.SetLoadBalancingPolicyName("round_robin");
  const auto channel =
      grpc::CreateCustomChannel(absl::StrCat("ipv4:", address_, ",127.0.0.1:", other.port()),
                                ChannelCredentials(channel_options()), arguments);
  EXPECT_TRUE(SoonBy("ipv4:", channel));
  for (int i = 0; i < 3; ++i) {
    auto local = Ours(address_);
    EXPECT_TRUE(SoonBy(kMemory, channel));
    EXPECT_TRUE(SoonBy("ipv4:", channel));  // the other server's
    local.reset();
    EXPECT_TRUE(Eventually([&] {
      const std::string first = Call(channel), second = Call(channel);
      return absl::StartsWith(first, "ipv4:") && absl::StartsWith(second, "ipv4:");
    }));
  }
}

TEST_F(MovesTest, ACallThatRunsEndsWhereItBegan) {
  Runs runs;
  const Noting remote(&runs, "127.0.0.1:0", grpc::InsecureServerCredentials());
  const auto channel = Channel(At("127.0.0.1", remote.port()));
  const auto stub = Echo::NewStub(channel);
  grpc::ClientContext context;
  const auto stream = stub->Bidi(&context);
  EchoRequest request;
  request.set_payload("1");
  EchoResponse response;
  ASSERT_TRUE(stream->Write(request) && stream->Read(&response));
  const auto local = Ours(At("127.0.0.1", remote.port()));
  EXPECT_TRUE(SoonBy(kMemory, channel));
  ASSERT_TRUE(stream->Write(request) && stream->Read(&response));
  EXPECT_EQ(response.payload(), "network");
  EXPECT_TRUE(stream->WritesDone());
  EXPECT_TRUE(stream->Finish().ok());
}

TEST_F(MovesTest, OnlyConnectionsThatMayMoveDo) {
  grpc::ChannelArguments arguments;
  arguments.SetInt(GRPC_ARG_ENABLE_RETRIES, 0);
  const auto stays =
      grpc::CreateCustomChannel(address_, ChannelCredentials(channel_options()), arguments);
  const auto moves = Channel(address_);
  const auto secure = grpc::CreateChannel(
      address_,
      ChannelCredentials(channel_options(), grpc::experimental::LocalCredentials(LOCAL_TCP)));
  EXPECT_THAT(Call(stays), StartsWith("ipv4:"));
  EXPECT_THAT(Call(secure), StartsWith("ipv4:"));
  EXPECT_THAT(Call(moves), StartsWith("ipv4:"));
  const auto local = Ours(address_);
  EXPECT_TRUE(SoonBy(kMemory, moves));
  EXPECT_THAT(Call(stays), StartsWith("ipv4:"));
  EXPECT_THAT(Call(secure), StartsWith("ipv4:"));
}

TEST_F(MovesTest, AUnixSocketMovesWithItsFile) {
  const internal::TemporaryDirectory place("/tmp");
  const std::string target = "unix:" + place.path() + "/socket";
  const AddressServer before(target, grpc::InsecureServerCredentials());
  const auto channel = Channel(target);
  EXPECT_THAT(Call(channel), StartsWith("unix:"));
  const auto local = Ours(target);  // has another file of that name
  EXPECT_TRUE(SoonBy("unix-abstract:cxl:///unix=", channel));
}

TEST_F(MovesTest, NoConnectionIsLostToAServerThatTakesNone) {
  const std::string name = At("localhost", remote_.port());
  const auto channel = Channel(name);
  EXPECT_THAT(Call(channel), StartsWith("ipv4:"));
  const ConnectionCounters before = GetConnectionCounters();
  const auto place = internal::RendezvousDirectory::Open({.configured = directory()});
  auto registered =
      internal::NameListener::Listen(place.value(), internal::NameOfHost(name).value());
  for (int probe = 0; probe < 3; ++probe) {
    EXPECT_TRUE(Eventually([&] { return bool{*registered->Accept()}; }));  // and drops it
    EXPECT_THAT(Call(channel), StartsWith("ipv4:"));
  }
  EXPECT_EQ(GetConnectionCounters().moved, before.moved);
  EXPECT_EQ(GetConnectionCounters().network, before.network);
}

// It has our credentials, but is no gRPC server, or is about to end.
TEST_F(MovesTest, NorToAServerThatDropsWhatItTakes) {
  const std::string name = At("localhost", remote_.port());
  const auto channel = Channel(name);
  EXPECT_THAT(Call(channel), StartsWith("ipv4:"));
  const ConnectionCounters before = GetConnectionCounters();
  ServerOptions options = server_options();
  options.also_known_as = {name};
  internal::TestServer local;
  ASSERT_EQ(local.Bind("cxl:///payments", options).value(), 1);
  ASSERT_TRUE(local.listener().Start().ok());
  std::atomic<bool> stop{false};
  std::atomic<int> dropped{0};
  std::thread drop([&] {
    while (!stop) dropped += local.Accept(absl::Milliseconds(10)) != nullptr ? 1 : 0;
  });
  EXPECT_TRUE(Eventually([&] { return dropped > 1; }));
  EXPECT_THAT(Call(channel), StartsWith("ipv4:"));
  EXPECT_EQ(GetConnectionCounters().moved, before.moved);
  EXPECT_EQ(GetConnectionCounters().network, before.network);
  // A channel that connects now.
  EXPECT_THAT(NetworkHost::Call(name), StartsWith("ipv4:"));
  stop = true;
  drop.join();
}

TEST_F(MovesTest, TheDirectoryMayBeMadeLater) {
  ASSERT_EQ(rmdir(directory().c_str()), 0);
  const auto channel = Channel(address_);
  EXPECT_THAT(Call(channel), StartsWith("ipv4:"));
  ASSERT_EQ(mkdir(directory().c_str(), 0700), 0);
  const auto local = Ours(address_);
  EXPECT_TRUE(SoonBy(kMemory, channel));
}

// Calls without a rest while a server comes and goes.
class Load {
 public:
  Load(std::shared_ptr<grpc::Channel> channel, bool patient)
      : stub_(Echo::NewStub(std::move(channel))), patient_(patient) {
    threads_.emplace_back([this] { Unary(0); });
    threads_.emplace_back([this] { Unary(0); });
    threads_.emplace_back([this] { Unary(100'000); });
    threads_.emplace_back([this] { Streams(); });
  }
  // Ends it and checks how often each call ran.
  void Check(Runs& runs) {
    stop_ = true;
    for (std::thread& thread : threads_) thread.join();
    const std::map<std::string, int> all = runs.all();
    absl::MutexLock lock(mu_);
    for (const std::string& id : ok_) EXPECT_EQ(all.count(id), 1u) << id;
    for (const auto& [id, count] : all) EXPECT_EQ(count, 1) << id;
    std::cout << ok_.size() << " calls" << std::endl;
  }
  // Whether calls soon come by this path.
  bool SoonBy(const std::string& path) {
    const int before = path == "memory" ? memory_ : network_;
    return Eventually([&] { return (path == "memory" ? memory_ : network_) > before + 20; });
  }

 private:
  // One call, whose messages are `ids`.
  void Perform(
      size_t messages,
      absl::FunctionRef<grpc::Status(grpc::ClientContext*, std::vector<std::string>)> call) {
    std::vector<std::string> ids;
    for (size_t i = 0; i < messages; ++i) ids.push_back(absl::StrCat(next_++));
    grpc::ClientContext context;
    context.set_wait_for_ready(patient_);
    context.set_deadline(std::chrono::system_clock::now() + std::chrono::seconds(60));
    const grpc::Status status = call(&context, ids);
    absl::MutexLock lock(mu_);
    EXPECT_TRUE(status.ok()) << status.error_code() << " " << status.error_message();
    if (status.ok()) ok_.insert(ok_.end(), ids.begin(), ids.end());
  }
  void Unary(size_t size) {
    while (!stop_) {
      Perform(1, [&](grpc::ClientContext* context, const std::vector<std::string>& ids) {
        EchoRequest request;
        request.set_payload(absl::StrCat(ids[0], " ", std::string(size, 'x')));
        EchoResponse response;
        const grpc::Status status = stub_->Unary(context, request, &response);
        if (status.ok()) ++(response.payload() == "memory" ? memory_ : network_);
        return status;
      });
    }
  }
  void Streams() {
    while (!stop_) {
      Perform(3, [&](grpc::ClientContext* context, const std::vector<std::string>& ids) {
        const auto stream = stub_->Bidi(context);
        EchoRequest request;
        EchoResponse response;
        for (const std::string& id : ids) {
          request.set_payload(id);
          if (!stream->Write(request) || !stream->Read(&response)) break;
        }
        stream->WritesDone();
        return stream->Finish();
      });
    }
  }

  const std::unique_ptr<Echo::Stub> stub_;
  const bool patient_;
  std::atomic<bool> stop_{false};
  std::atomic<int> next_{0}, memory_{0}, network_{0};
  absl::Mutex mu_;
  std::vector<std::string> ok_ ABSL_GUARDED_BY(mu_);
  std::vector<std::thread> threads_;
};

struct UnderLoad {
  const char* policy;
  bool direct;
};

class MovesUnderLoadTest : public MovesTest, public ::testing::WithParamInterface<UnderLoad> {};

TEST_P(MovesUnderLoadTest, NoCallFailsAndNoneIsMadeTwice) {
  Runs runs;
  const Noting remote(&runs, "127.0.0.1:0", grpc::InsecureServerCredentials());
  const bool picks_first = absl::string_view(GetParam().policy) == "pick_first";
  const std::string name = At("localhost", remote.port()), ip = At("127.0.0.1", remote.port());
  ServerOptions options = server_options();
  if (picks_first) options.also_known_as = {name};
  grpc::ChannelArguments arguments;
  arguments.SetLoadBalancingPolicyName(GetParam().policy);
  Load load(grpc::CreateCustomChannel(picks_first ? "dns:///" + name : ip,
                                      ChannelCredentials(channel_options()), arguments),
            /*patient=*/!picks_first);
  EXPECT_TRUE(load.SoonBy("network"));
  for (int i = 0; i < 5; ++i) {
    auto local = std::make_unique<Noting>(&runs, picks_first ? "127.0.0.1:0" : ip,
                                          ServerCredentials(options), GetParam().direct);
    EXPECT_TRUE(load.SoonBy("memory"));
    local.reset();
    EXPECT_TRUE(load.SoonBy("network"));
  }
  load.Check(runs);
}

INSTANTIATE_TEST_SUITE_P(Policies, MovesUnderLoadTest,
                         ::testing::Values(UnderLoad{"pick_first", true},
                                           UnderLoad{"pick_first", false},
                                           UnderLoad{"round_robin", false}));

}  // namespace
}  // namespace grpc_cxl::e2e
