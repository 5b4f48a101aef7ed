// SPDX-License-Identifier: Apache-2.0

// Who may answer for a network address: the same address is another server's in another network
// namespace, and a process that does not listen there cannot have it. All in forked children.

#include <errno.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <net/if.h>
#include <netinet/in.h>
#include <sched.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <fstream>
#include <optional>

#include "grpc_cxl/connection_counters.h"
#include "grpc_cxl/rendezvous/name_listener.h"
#include "grpc_cxl/rendezvous/tcp_address.h"
#include "test/e2e/log_capture.h"
#include "test/e2e/network_address.h"
#include "test/e2e/reserved_port.h"
#include "test/support/eventually.h"
#include "test/support/forked_child.h"
#include "test/support/user_namespace.h"

namespace grpc_cxl::e2e {
namespace {

using internal::ForkedChild;
using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::StartsWith;

constexpr int kPort = 50051;  // in a namespace of its own

// Empty when this process is in a network namespace of its own with a loopback interface.
std::string EnterNetworkNamespace() {
  internal::EnterUserNamespace(geteuid());
  if (unshare(CLONE_NEWNET) != 0) {
    return absl::StrCat("no network namespaces here: ", strerror(errno));
  }
  const internal::UniqueFd socket(::socket(AF_INET, SOCK_DGRAM, 0));
  ifreq loopback{.ifr_ifrn = {.ifrn_name = "lo"}, .ifr_ifru = {.ifru_flags = IFF_UP}};
  if (ioctl(socket.get(), SIOCSIFFLAGS, &loopback) == 0) return "";
  return absl::StrCat("no loopback interface: ", strerror(errno));
}

// What the server of this process answers to a call of this process.
std::string ServeAndCall(const NetworkHost& host, const std::string& mine,
                         const std::string& others) {
  if (const std::string why = EnterNetworkNamespace(); !why.empty()) return why;
  const AddressServer server(At("0.0.0.0", kPort), ServerCredentials(host.server_options()));
  std::ofstream{mine};
  if (!internal::Eventually([&] { return access(others.c_str(), F_OK) == 0; })) return "alone";
  const std::string seen = host.Call(At("127.0.0.1", kPort));
  return absl::EndsWith(seen, absl::StrCat(" by ", getpid())) ? seen : "another server: " + seen;
}

TEST(NetworkAddressTrustTest, AnAddressIsOfItsNetworkNamespace) {
  if (const std::string why = internal::WhyNoUserNamespace(); !why.empty()) GTEST_SKIP() << why;
  if (const std::string why = ForkedChild(EnterNetworkNamespace).Join(); !why.empty()) {
    GTEST_SKIP() << why;
  }
  const NetworkHost host("/tmp");
  const std::string a = host.directory() + "/a", b = host.directory() + "/b";
  ForkedChild first([&] { return ServeAndCall(host, a, b); });
  ForkedChild second([&] { return ServeAndCall(host, b, a); });
  EXPECT_THAT(first.Join(), StartsWith(kMemory));
  EXPECT_THAT(second.Join(), StartsWith(kMemory));
}

// Registers an address without listening there.
std::optional<internal::NameListener> Forge(const NetworkHost& host,
                                            const internal::ServiceName& name) {
  const auto directory = internal::RendezvousDirectory::Open({.configured = host.directory()});
  auto listener = internal::NameListener::Listen(directory.value(), name);
  CHECK(listener.ok()) << listener.status();
  return *std::move(listener);
}

// The path of a call to a plain server although somebody else has registered its address, and what
// the log says.
std::string CallPlain(const NetworkHost& host, int port) {
  LogCapture log(absl::LogSeverity::kWarning);
  const AddressServer server(At("127.0.0.1", port), grpc::InsecureServerCredentials());
  ChannelOptions options = host.channel_options();
  options.allowed_uids = {internal::kNobody};
  const std::string seen =
      e2e::Call(grpc::CreateChannel(At("127.0.0.1", server.port()), ChannelCredentials(options)));
  const ConnectionCounters counters = GetConnectionCounters();
  return absl::StrCat(seen.substr(0, 5), counters.memory, counters.network, counters.declined, " ",
                      log.text());
}

TEST(NetworkAddressTrustTest, AnotherUserThatDoesNotListenIsNotBelieved) {
  if (const std::string why = internal::WhyNoOtherUser(); !why.empty()) GTEST_SKIP() << why;
  const NetworkHost host("/tmp");
  const ReservedPort port;
  PCHECK(chmod(host.directory().c_str(), 01777) == 0);
  const auto space = internal::NetworkNamespace::OfThread().value();
  ForkedChild liar(internal::kNobody, [&] {
    const auto name = Forge(host, NameOfAddress(port.address(), space));
    raise(SIGSTOP);
    pause();
    return "";
  });
  liar.AwaitStopAndContinue();
  EXPECT_THAT(
      ForkedChild([&] { return CallPlain(host, port.number()); }).Join(),
      AllOf(StartsWith("ipv4:011 "), HasSubstr("belongs to uid 0, the server to uid 65534")));
}

TEST(NetworkAddressTrustTest, AKilledServerIsNotMissed) {
  const NetworkHost host("/tmp");
  const ReservedPort port;
  ForkedChild server([&] {
    const AddressServer ours(At("127.0.0.1", port.number()),
                             ServerCredentials(host.server_options()));
    raise(SIGSTOP);
    pause();
    return "";
  });
  server.AwaitStopAndContinue();
  ASSERT_TRUE(server.Kill());
  EXPECT_EQ(ForkedChild([&] { return CallPlain(host, port.number()); }).Join(), "ipv4:010 ");
}

TEST(NetworkAddressTrustTest, ALiarDoesNotHideTheServer) {
  const NetworkHost host("/tmp");
  const auto space = internal::NetworkNamespace::OfThread().value();
  ForkedChild process([&] {
    const AddressServer server("0.0.0.0:0", ServerCredentials(host.server_options()));
    internal::TcpAddress address = ReservedPort().address();
    address.port = server.port();
    const auto lie = Forge(host, NameOfAddress(address, space));
    return host.Call(At("127.0.0.1", server.port()));
  });
  EXPECT_THAT(process.Join(), StartsWith("unix-abstract:cxl:///tcp=any="));
}

TEST(NetworkAddressTrustTest, AProcessThatListensElsewhereIsNotBelieved) {
  const NetworkHost host("/tmp");
  const ReservedPort port;
  const auto space = internal::NetworkNamespace::OfThread().value();
  const auto name = Forge(host, internal::NameOfAnyAddress(port.number(), space));
  EXPECT_THAT(
      ForkedChild([&] { return CallPlain(host, port.number()); }).Join(),
      AllOf(StartsWith("ipv4:011 "), HasSubstr("another socket than the server's listens there")));
}

}  // namespace
}  // namespace grpc_cxl::e2e
