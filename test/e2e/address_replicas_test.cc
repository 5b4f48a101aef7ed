// SPDX-License-Identifier: Apache-2.0

// Several servers that listen on one TCP address, processes all of them: channels find those that
// are its replicas through memory, each call goes to one of them, and they come and go without a
// failed call. Whom the kernel does not vouch for gets none.

#include <grpc/impl/channel_arg_names.h>
#include <grpcpp/create_channel.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "absl/log/check.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "grpc_cxl/channel_credentials.h"
#include "grpc_cxl/connection_counters.h"
#include "grpc_cxl/connection_status.h"
#include "test/e2e/echo.grpc.pb.h"
#include "test/e2e/network_address.h"
#include "test/e2e/reserved_port.h"
#include "test/support/eventually.h"
#include "test/support/forked_child.h"
#include "test/support/spawned_child.h"

namespace grpc_cxl::e2e {
namespace {

using internal::Eventually;
using internal::SpawnedChild;

class AddressReplicasTest : public ::testing::Test, protected NetworkHost {
 protected:
  enum class Kind { kReplica, kAlone, kGrpc };  // with the option, without it; not ours

  void Start(const std::string& number, Kind kind = Kind::kReplica) {
    std::vector<std::string> flags = {"--address=" + address_, "--number=" + number,
                                      "--leave=false"};
    if (kind != Kind::kGrpc) flags.push_back("--directory=" + directory());
    if (kind == Kind::kReplica) flags.push_back("--replica");
    servers_[number] = std::make_unique<SpawnedChild>(
        "test/e2e/restart_server", flags, internal::SpawnOptions{.environment = environment_});
    ASSERT_EQ(servers_[number]->ReadLine(), "serving");
  }

  std::unique_ptr<Echo::Stub> MakeStub(const std::string& target,
                                       grpc::ChannelArguments arguments = {}) const {
    return MakeStub(target, ChannelCredentials(channel_options()), std::move(arguments));
  }
  static std::unique_ptr<Echo::Stub> MakeStub(
      const std::string& target, const std::shared_ptr<grpc::ChannelCredentials>& credentials,
      grpc::ChannelArguments arguments = {}) {
    arguments.SetInt(GRPC_ARG_USE_LOCAL_SUBCHANNEL_POOL, 1);
    return Echo::NewStub(grpc::CreateCustomChannel(target, credentials, arguments));
  }

  // The server that answers, "*" behind it if the call was direct; or what went wrong.
  static std::string Call(Echo::Stub& stub) {
    grpc::ClientContext context;
    context.set_deadline(std::chrono::system_clock::now() + std::chrono::seconds(30));
    EchoResponse response;
    const grpc::Status status = stub.Unary(&context, {}, &response);
    if (!status.ok()) return "failed: " + status.error_message();
    return response.payload() + (response.requests() == 0 ? "*" : "");
  }
  // Whether calls soon go to each of these, and to no other; none may fail.
  static bool GoTo(Echo::Stub& stub, const std::set<std::string>& expected) {
    return Eventually([&] {
      std::set<std::string> reached;
      for (int i = 0; i < 50; ++i) {
        const std::string answer = Call(stub);
        EXPECT_FALSE(absl::StartsWith(answer, "failed")) << answer;
        reached.insert(answer);
      }
      return reached == expected;
    });
  }
  // As gRPC alone does it: the kernel chooses.
  bool OverTheNetworkGoTo(const std::set<std::string>& expected) const {
    std::set<std::string> reached;
    return Eventually([&] {
      reached.insert(Call(*MakeStub(address_, grpc::InsecureChannelCredentials())));
      return std::includes(reached.begin(), reached.end(), expected.begin(), expected.end());
    });
  }

  const ReservedPort port_;  // of 127.0.0.1
  std::string address_ = At("127.0.0.1", port_.number());
  std::map<std::string, std::optional<std::string>> environment_;
  std::map<std::string, std::unique_ptr<SpawnedChild>> servers_;
};

TEST_F(AddressReplicasTest, DirectCallsGoToAllThatServeTheAddress) {
  Start("0", Kind::kGrpc);
  const auto stub = MakeStub(address_);
  ASSERT_EQ(Call(*stub), "0");  // from where it moves
  for (const char* number : {"1", "2", "3"}) Start(number);
  ASSERT_TRUE(GoTo(*stub, {"1*", "2*", "3*"}));

  servers_["2"]->Kill();
  EXPECT_TRUE(GoTo(*stub, {"1*", "3*"}));
  Start("4");
  EXPECT_TRUE(GoTo(*stub, {"1*", "3*", "4*"}));

  // A server without the option cannot be one of them, but serves.
  Start("9", Kind::kAlone);
  EXPECT_TRUE(OverTheNetworkGoTo({"0", "1", "3", "4", "9"}));
  EXPECT_TRUE(GoTo(*stub, {"1*", "3*", "4*"}));

  // When they have left, in order, it has the address.
  for (const char* number : {"1", "3", "4"}) EXPECT_EQ(servers_[number]->Finish(), 0);
  EXPECT_TRUE(GoTo(*stub, {"9*"}));
}

TEST_F(AddressReplicasTest, AHostHasReplicasAsWell) {
  const std::string target = At("localhost", port_.number());
  environment_["GRPC_CXL_ALSO_KNOWN_AS"] = target;
  address_ = At("127.0.0.2", port_.number());
  for (const char* number : {"1", "2"}) Start(number);
  const auto stub = MakeStub(target);
  ASSERT_TRUE(GoTo(*stub, {"1*", "2*"}));
  servers_["1"]->Kill();
  EXPECT_TRUE(GoTo(*stub, {"2*"}));
  Start("3");
  EXPECT_TRUE(GoTo(*stub, {"2*", "3*"}));
}

// Our own connections go with gRPC's, whose next one, with the next call, may lead elsewhere.
TEST_F(AddressReplicasTest, WithoutGrpcsConnectionThereIsNone) {
  for (const char* number : {"1", "2", "3"}) Start(number);
  const auto stub = MakeStub(address_);
  const std::string first = Call(*stub);
  ASSERT_EQ(servers_.count(first), 1u) << first << ": a call that connects is not direct";
  ASSERT_TRUE(GoTo(*stub, {"1*", "2*", "3*"}));
  servers_[first]->Kill();
  EXPECT_TRUE(Eventually([] { return GetConnectionStatus().empty(); }));
  std::set<std::string> others = {"1*", "2*", "3*"};
  others.erase(first + "*");
  EXPECT_TRUE(GoTo(*stub, others));
}

// Of all sockets of this process that listen on the port. The kernel takes a socket's owner for
// the user who listens.
void GiveListeningSockets(int port, uid_t user) {
  int given = 0;
  for (int fd = 0; fd < 1024; ++fd) {
    sockaddr_in address = {};
    socklen_t size = sizeof(address);
    int listens = 0;
    socklen_t flag_size = sizeof(listens);
    if (getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &listens, &flag_size) != 0 || listens == 0 ||
        getsockname(fd, reinterpret_cast<sockaddr*>(&address), &size) != 0 ||
        (address.sin_family != AF_INET && address.sin_family != AF_INET6) ||
        ntohs(address.sin_port) != port) {
      continue;
    }
    PCHECK(fchown(fd, user, -1) == 0);
    ++given;
  }
  ASSERT_GT(given, 0);
}

TEST_F(AddressReplicasTest, WhereAnotherUserListensTooTheKernelChooses) {
  if (const std::string why = internal::WhyNoOtherUser(); !why.empty()) GTEST_SKIP() << why;
  for (const char* number : {"1", "2"}) Start(number);
  const AddressServer other(address_, grpc::InsecureServerCredentials());
  GiveListeningSockets(port_.number(), internal::kNobody);
  const ConnectionCounters before = GetConnectionCounters();
  EXPECT_FALSE(absl::StartsWith(Call(*MakeStub(address_)), "failed"));
  const ConnectionCounters after = GetConnectionCounters();
  EXPECT_EQ(after.memory, before.memory);
  EXPECT_EQ(after.network, before.network + 1);
  EXPECT_EQ(after.declined, before.declined + 1);
  GiveListeningSockets(port_.number(), geteuid());
  EXPECT_TRUE(GoTo(*MakeStub(address_), {"1*", "2*"}));
}

}  // namespace
}  // namespace grpc_cxl::e2e
