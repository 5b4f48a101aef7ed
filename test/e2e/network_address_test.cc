// SPDX-License-Identifier: Apache-2.0

// Network addresses with our credentials at both ends: connections to servers of this host go
// through memory, all others over the network, and a channel goes from one to the other when a
// server goes or comes.

#include "test/e2e/network_address.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include <fstream>
#include <sstream>
#include <utility>
#include <vector>

#include "grpc_cxl/base/unique_fd.h"
#include "grpc_cxl/connection_counters.h"
#include "grpc_cxl/direct_calls.h"
#include "grpc_cxl/event_engine/channel_target.h"
#include "grpc_cxl/event_engine/status_snapshot.h"
#include "test/support/eventually.h"

namespace grpc_cxl::e2e {
namespace {

using ::testing::HasSubstr;
using ::testing::StartsWith;

class NetworkAddressTest : public ::testing::Test, protected NetworkHost {
 protected:
  std::unique_ptr<AddressServer> Ours(const std::string& address) {
    return std::make_unique<AddressServer>(address, ServerCredentials(server_options()));
  }
  static std::unique_ptr<AddressServer> Plain(const std::string& address) {
    return std::make_unique<AddressServer>(address, grpc::InsecureServerCredentials());
  }
};

TEST_F(NetworkAddressTest, EveryAddressOfAServerOnThisHostIsReachedThroughMemory) {
  for (const std::string listen : {"0.0.0.0:0", "[::]:0", "127.0.0.1:0", "[::1]:0"}) {
    const auto server = Ours(listen);
    ASSERT_GT(server->port(), 0) << listen;
    const bool any = listen == "0.0.0.0:0" || listen == "[::]:0";
    for (const std::string host :
         {"127.0.0.1", "127.0.0.2", "[::1]", "ipv4:127.0.0.1", "ipv6:[::1]", "dns:///127.0.0.1"}) {
      if (!any && !absl::StrContains(host, listen.substr(0, listen.size() - 2))) continue;
      const uint64_t before = GetConnectionCounters().memory;
      EXPECT_THAT(Call(At(host, server->port())), StartsWith(kMemory)) << listen << " " << host;
      EXPECT_EQ(GetConnectionCounters().memory, before + 1);
    }
  }
}

TEST_F(NetworkAddressTest, EitherEndWithoutOurCredentialsIsReachedOverTheNetwork) {
  const auto ours = Ours("127.0.0.1:0"), plain = Plain("127.0.0.1:0");
  EXPECT_THAT(Call(At("127.0.0.1", ours->port()), grpc::InsecureChannelCredentials()),
              StartsWith("ipv4:127.0.0.1"));
  const uint64_t before = GetConnectionCounters().network;
  EXPECT_THAT(Call(At("127.0.0.1", plain->port())), StartsWith("ipv4:127.0.0.1"));
  EXPECT_EQ(GetConnectionCounters().network, before + 1);

  // Each is on the status page, for as long as it lasts.
  const std::string address = At("127.0.0.1", plain->port());
  std::vector<internal::StatusNetworkPeer> shown;
  const auto is_shown = [&] {
    shown = internal::TakeStatusSnapshot().network_peers;
    std::erase_if(shown, [&](const auto& entry) { return entry.peer != address; });
    return !shown.empty();
  };
  ASSERT_TRUE(internal::Eventually([&] { return !is_shown(); }));
  auto channel = Channel(address);
  Call(channel);
  ASSERT_TRUE(is_shown());
  EXPECT_THAT(shown[0].reason, HasSubstr("no server has registered this address"));
  channel = nullptr;
  EXPECT_TRUE(internal::Eventually([&] { return !is_shown(); }));
}

TEST_F(NetworkAddressTest, AChannelFollowsItsAddress) {
  auto server = Ours("127.0.0.1:0");
  const std::string address = At("127.0.0.1", server->port());
  const auto channel = Channel(address);
  EXPECT_THAT(Call(channel), StartsWith(kMemory));
  server.reset();
  server = Plain(address);
  EXPECT_THAT(Call(channel), StartsWith("ipv4:"));
  server.reset();
  server = Ours(address);
  EXPECT_THAT(Call(channel), StartsWith(kMemory));
}

TEST_F(NetworkAddressTest, RoundRobinReachesEachServerByItsOwnPath) {
  const auto ours = Ours("127.0.0.1:0"), plain = Plain("127.0.0.1:0");
  grpc::ChannelArguments arguments;
  arguments.SetLoadBalancingPolicyName("round_robin");
  const auto channel = grpc::CreateCustomChannel(
      absl::StrCat("ipv4:127.0.0.1:", ours->port(), ",127.0.0.1:", plain->port()),
      ChannelCredentials(channel_options()), arguments);
  EXPECT_TRUE(internal::Eventually([&] {
    const std::string first = Call(channel), second = Call(channel);
    return first.substr(0, 4) != second.substr(0, 4);
  }));
}

TEST_F(NetworkAddressTest, TheSecondServerOfAnAddressTakesItsEntryOver) {
  auto first = Ours("127.0.0.1:0");
  const std::string address = At("127.0.0.1", first->port());
  const auto second = Ours(address);  // SO_REUSEPORT
  ASSERT_TRUE(EnableDirectCalls(second->server()).ok());
  first.reset();
  const uint64_t before = GetDirectCallStats().direct;
  EXPECT_TRUE(internal::Eventually([&] {
    const auto channel = Channel(address);  // a new connection, until it is one through memory
    Call(channel);
    Call(channel);
    return GetDirectCallStats().direct > before;
  }));
}

TEST_F(NetworkAddressTest, OneServerHasANameAndAnAddress) {
  const AddressServer server("127.0.0.1:0", ServerCredentials(server_options()), "cxl:///payments");
  EXPECT_THAT(Call(Channel("cxl:///payments")), HasSubstr("cxl:///payments@"));
  EXPECT_THAT(Call(At("127.0.0.1", server.port())), StartsWith(kMemory));
}

TEST_F(NetworkAddressTest, ATargetIsReachedUnderAnotherNameOfItsServer) {
  ServerOptions options = server_options();
  const auto plain = Plain("127.0.0.1:0");  // in the way of a virtual address
  const std::string target = At("localhost", plain->port());
  options.also_known_as = {At("LocalHost", plain->port())};
  auto server = std::make_unique<AddressServer>("127.0.0.1:0", ServerCredentials(options));
  const auto channel = Channel("dns:///" + target);
  EXPECT_THAT(Call(channel), StartsWith("unix-abstract:cxl:///name=" + target + "@"));
  server.reset();
  EXPECT_THAT(Call(channel), StartsWith("ipv4:"));
}

TEST_F(NetworkAddressTest, ANameInTheEnvironmentIsForTheServerWithThePort) {
  auto server = Ours("127.0.0.2:0");
  const int port = server->port();
  const auto plain = Plain(At("127.0.0.1", port));
  server.reset();
  setenv("GRPC_CXL_ALSO_KNOWN_AS", At("localhost", port).c_str(), 1);
  const auto other = Ours("127.0.0.2:0");
  EXPECT_THAT(Call(At("localhost", port)), StartsWith("ipv4:"));
  server = Ours(At("127.0.0.2", port));
  unsetenv("GRPC_CXL_ALSO_KNOWN_AS");
  EXPECT_THAT(Call(At("localhost", port)), StartsWith("unix-abstract:cxl:///name="));
}

TEST_F(NetworkAddressTest, AProxyIsSpokenTo) {
  ServerOptions options = server_options();
  options.also_known_as = {"payments:1"};
  const AddressServer server("127.0.0.1:0", ServerCredentials(options));
  const internal::UniqueFd proxy(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  sockaddr_in address = {};
  address.sin_family = AF_INET;
  socklen_t size = sizeof(address);
  const timeval patience = {.tv_sec = 10, .tv_usec = 0};
  PCHECK(setsockopt(proxy.get(), SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience)) == 0 &&
         listen(proxy.get(), 1) == 0 &&
         getsockname(proxy.get(), reinterpret_cast<sockaddr*>(&address), &size) == 0);
  grpc::ChannelArguments arguments;
  arguments.SetString(GRPC_ARG_HTTP_PROXY, "http://" + At("127.0.0.1", ntohs(address.sin_port)));
  const auto channel = grpc::CreateCustomChannel("dns:///payments:1",
                                                 ChannelCredentials(channel_options()), arguments);
  channel->GetState(/*try_to_connect=*/true);
  const internal::UniqueFd client(accept(proxy.get(), nullptr, nullptr));
  char said[18] = "";
  EXPECT_EQ(recv(client.get(), said, sizeof(said), MSG_WAITALL), ssize_t{sizeof(said)});
  EXPECT_EQ(std::string(said, sizeof(said)), "CONNECT payments:1");
}

TEST_F(NetworkAddressTest, AUnixSocketIsReachedThroughMemoryByEveryPath) {
  const internal::TemporaryDirectory place("/tmp");
  const std::string path = place.path() + "/socket", link = place.path() + "/link";
  auto server = Ours("unix:" + path);
  ASSERT_EQ(symlink(path.c_str(), link.c_str()), 0);
  const auto channel = Channel("unix:" + path);
  EXPECT_THAT(Call(channel), StartsWith("unix-abstract:cxl:///unix="));
  EXPECT_THAT(Call("unix:" + link), StartsWith("unix-abstract:cxl:///unix="));
  server.reset();
  server = Plain("unix:" + path);
  EXPECT_THAT(Call(channel), StartsWith("unix:"));
}

std::string TestData(const std::string& file) {
  std::ifstream in("test/e2e/testdata/" + file);
  std::stringstream text;
  text << in.rdbuf();
  return text.str();
}

TEST_F(NetworkAddressTest, TlsStaysTls) {
  grpc::SslServerCredentialsOptions tls(GRPC_SSL_DONT_REQUEST_CLIENT_CERTIFICATE);
  tls.pem_key_cert_pairs.push_back({TestData("server.key"), TestData("server.pem")});
  const AddressServer server("127.0.0.1:0",
                             ServerCredentials(server_options(), grpc::SslServerCredentials(tls)));
  const std::string target = At("127.0.0.1", server.port());  // a name of the certificate
  grpc::SslCredentialsOptions trust;
  trust.pem_root_certs = TestData("ca.pem");
  const auto client = ChannelCredentials(channel_options(), grpc::SslCredentials(trust));
  EXPECT_THAT(Call(target, client), StartsWith(kMemory));
}

TEST_F(NetworkAddressTest, ServersWithCredentialsOfOtherKindsAreNotRegistered) {
  const AddressServer server(
      "127.0.0.1:0", ServerCredentials(server_options(), grpc::XdsServerCredentials(
                                                             grpc::InsecureServerCredentials())));
  EXPECT_THAT(Call(At("127.0.0.1", server.port())), StartsWith("ipv4:"));
}

TEST_F(NetworkAddressTest, LocalCredentialsTakeMemoryForTheLoopbackInterface) {
  const AddressServer server(
      "127.0.0.1:0",
      ServerCredentials(server_options(), grpc::experimental::LocalServerCredentials(LOCAL_TCP)));
  EXPECT_THAT(
      Call(At("127.0.0.1", server.port()),
           ChannelCredentials(channel_options(), grpc::experimental::LocalCredentials(LOCAL_TCP))),
      StartsWith(kMemory));
}

// With pick_first all calls go to one server, so a direct call goes where gRPC's would.
TEST_F(NetworkAddressTest, CallsAreDirectWhereOneServerIsPicked) {
  auto server = Ours("127.0.0.1:0");
  ASSERT_TRUE(EnableDirectCalls(server->server()).ok());
  const std::string address = At("127.0.0.1", server->port());
  const auto direct = [&](const std::shared_ptr<grpc::Channel>& channel) {
    EXPECT_THAT(Call(channel), StartsWith(kMemory));  // connects
    const uint64_t before = GetDirectCallStats().direct;
    EXPECT_EQ(Call(channel).find("error"), std::string::npos);
    return GetDirectCallStats().direct == before + 1;
  };
  const auto channel = Channel(address);
  EXPECT_TRUE(direct(channel));
  grpc::ChannelArguments arguments;
  arguments.SetLoadBalancingPolicyName("round_robin");
  EXPECT_FALSE(
      direct(grpc::CreateCustomChannel(address, ChannelCredentials(channel_options()), arguments)));
  server.reset();
  server = Plain(address);
  EXPECT_THAT(Call(channel), StartsWith("ipv4:"));
}

internal::ChannelTarget TargetOf(const std::string& target,
                                 const grpc::ChannelArguments& more = {}) {
  return internal::ChannelTarget::Of(target, more.c_channel_args());
}

TEST_F(NetworkAddressTest, DirectCallsNameTheAuthorityThatStreamsName) {
  const internal::TemporaryDirectory place("/tmp");
  const std::string path = place.path() + "/socket";
  const auto tcp = Plain("[::]:0"), file = Plain("unix:" + path);
  for (const std::string host : {"localhost", "dns:localhost", "dns:///localhost", "127.0.0.1",
                                 "ipv4:127.0.0.1", "ipv6:[::1]", "[::1]"}) {
    const std::string target = At(host, tcp->port()), authority = TargetOf(target).authority;
    EXPECT_THAT(Call(Channel(target)), HasSubstr(" for " + authority + " by ")) << target;
  }
  for (const std::string& target : {"unix:" + path, "unix://" + path}) {
    const std::string authority = TargetOf(target).authority;
    EXPECT_THAT(Call(Channel(target)), HasSubstr(" for " + authority + " by ")) << target;
  }
  for (const std::string target :
       {"ipv6:%5B::1%5D:1", "IPV4:127.0.0.1:1", "dns:///a:1?x=y", "xds:///a:1", "other:a:1"}) {
    EXPECT_EQ(TargetOf(target).authority + TargetOf(target).calls_key, "") << target;
  }
}

TEST_F(NetworkAddressTest, OnlyChannelsToOneAddressShareDirectCalls) {
  for (const std::string one : {"127.0.0.1:1", "ipv6:[::1]:1", "dns:///127.0.0.1:1", "unix:/a"}) {
    EXPECT_EQ(TargetOf(one).calls_key, TargetOf(one).calls_key);
  }
  for (const std::string several : {"ipv4:127.0.0.1:1,127.0.0.2:1", "dns:///a:1", "a:1"}) {
    EXPECT_NE(TargetOf(several).calls_key, TargetOf(several).calls_key);
  }
  for (const char* const way :
       {GRPC_ARG_EVENT_ENGINE, GRPC_ARG_HTTP_PROXY, GRPC_ARG_ENABLE_HTTP_PROXY}) {
    grpc::ChannelArguments arguments;
    arguments.SetInt(way, 1);
    EXPECT_EQ(TargetOf("127.0.0.1:1", arguments).calls_key, "");
  }
  grpc::ChannelArguments balanced;  // also_known_as would make all of its servers one
  balanced.SetLoadBalancingPolicyName("round_robin");
  EXPECT_EQ(TargetOf("dns:///a:1", balanced).calls_key + TargetOf("dns:///a:1", balanced).authority,
            "");
}

}  // namespace
}  // namespace grpc_cxl::e2e
