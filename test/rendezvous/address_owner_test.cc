// SPDX-License-Identifier: Apache-2.0

// Who may answer for an address, with real listening sockets of this process, and who may come
// through its entry; and what killed servers leave.

#include "grpc_cxl/rendezvous/address_owner.h"

#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <sched.h>
#include <signal.h>
#include <unistd.h>

#include <string>
#include <vector>

#include "absl/log/check.h"
#include "absl/status/status_matchers.h"
#include "grpc_cxl/base/unique_fd.h"
#include "grpc_cxl/rendezvous/address_guard.h"
#include "grpc_cxl/rendezvous/dead_addresses.h"
#include "grpc_cxl/rendezvous/dial.h"
#include "grpc_cxl/rendezvous/name_listener.h"
#include "grpc_cxl/rendezvous/unix_file.h"
#include "test/support/forked_child.h"
#include "test/support/temporary_directory.h"
#include "test/support/user_namespace.h"

namespace grpc_cxl::internal {
namespace {

using ::absl_testing::IsOk;
using ::absl_testing::StatusIs;

TcpAddress Address(const std::string& ip, uint16_t port) {
  TcpAddress address{.port = port};
  const std::string mapped = ip.find(':') == std::string::npos ? "::ffff:" + ip : ip;
  CHECK_EQ(inet_pton(AF_INET6, mapped.c_str(), &address.ip), 1);
  return address;
}

struct Listening {
  UniqueFd socket;
  uint16_t port;
};

// Also on an address that this host does not have.
Listening ListenOn(const std::string& ip, bool only_v6 = false, uint16_t port = 0) {
  Listening result{.socket = UniqueFd(socket(AF_INET6, SOCK_STREAM | SOCK_CLOEXEC, 0)), .port = 0};
  const int fd = result.socket.get(), only = only_v6, on = 1;
  sockaddr_in6 address{};
  address.sin6_family = AF_INET6;
  address.sin6_addr = Address(ip, 0).ip;
  address.sin6_port = htons(port);
  socklen_t size = sizeof(address);
  PCHECK(setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &only, sizeof(only)) == 0);
  PCHECK(setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &on, sizeof(on)) == 0);
  PCHECK(setsockopt(fd, IPPROTO_IP, IP_FREEBIND, &on, sizeof(on)) == 0);
  PCHECK(bind(fd, reinterpret_cast<sockaddr*>(&address), size) == 0 && listen(fd, 1) == 0);
  PCHECK(getsockname(fd, reinterpret_cast<sockaddr*>(&address), &size) == 0);
  result.port = ntohs(address.sin6_port);
  return result;
}

const auto kDenied = StatusIs(absl::StatusCode::kPermissionDenied);

TEST(AddressOwnerTest, AnExactEntryNeedsASocketOfTheAddressAndTheUser) {
  const Listening server = ListenOn("127.0.0.1");
  const TcpAddress address = Address("127.0.0.1", server.port);
  EXPECT_THAT(CheckAnswersFor(address, AddressEntry::kExact, geteuid()), IsOk());
  EXPECT_THAT(CheckAnswersFor(address, AddressEntry::kExact, geteuid() + 1), kDenied);
  EXPECT_THAT(CheckAnswersFor(address, AddressEntry::kAny, geteuid()), kDenied);
  EXPECT_THAT(CheckAnswersFor(Address("127.0.0.2", server.port), AddressEntry::kExact, geteuid()),
              kDenied);
}

// Which of them gets a connection is the kernel's choice.
TEST(AddressOwnerTest, AllThatShareAnAddressMustBeOfTheUser) {
  if (const std::string why = WhyNoOtherUser(); !why.empty()) GTEST_SKIP() << why;
  const Listening server = ListenOn("127.0.0.1");
  const TcpAddress address = Address("127.0.0.1", server.port);
  const Listening replica = ListenOn("127.0.0.1", false, server.port);
  EXPECT_THAT(CheckAnswersFor(address, AddressEntry::kExact, geteuid()), IsOk());
  ASSERT_EQ(fchown(replica.socket.get(), kNobody, -1), 0);
  EXPECT_THAT(CheckAnswersFor(address, AddressEntry::kExact, geteuid()), kDenied);
  EXPECT_THAT(CheckAnswersFor(address, AddressEntry::kExact, kNobody), kDenied);
  // The kernel takes no socket of all addresses where there is one of this.
  const Listening exact = ListenOn("127.0.0.1"), any = ListenOn("0.0.0.0", false, exact.port);
  ASSERT_EQ(fchown(any.socket.get(), kNobody, -1), 0);
  EXPECT_THAT(CheckAnswersFor(Address("127.0.0.1", exact.port), AddressEntry::kExact, geteuid()),
              IsOk());
}

TEST(AddressOwnerTest, ASocketOutlivesItsAddress) {
  const Listening server = ListenOn("192.0.2.1");  // for documentation only: no host has it
  EXPECT_THAT(CheckAnswersFor(Address("192.0.2.1", server.port), AddressEntry::kExact, geteuid()),
              kDenied);
}

TEST(AddressOwnerTest, AnEntryForAllNeedsAnAddressOfThisHostThatNoOtherSocketHas) {
  const Listening server = ListenOn("::");
  for (const std::string ip : {"127.0.0.1", "127.0.0.9", "::1"}) {
    EXPECT_THAT(CheckAnswersFor(Address(ip, server.port), AddressEntry::kAny, geteuid()), IsOk());
  }
  for (const std::string ip : {"192.0.2.1", "2001:db8::1"}) {  // for documentation only
    EXPECT_FALSE(CheckAnswersFor(Address(ip, server.port), AddressEntry::kAny, geteuid()).ok());
  }
  const Listening other = ListenOn("127.0.0.1", false, server.port);
  EXPECT_THAT(CheckAnswersFor(Address("127.0.0.1", server.port), AddressEntry::kAny, geteuid()),
              kDenied);
}

TEST(AddressOwnerTest, AnIpv6SocketMayTakeNoIpv4) {
  const Listening server = ListenOn("::", /*only_v6=*/true);
  EXPECT_THAT(CheckAnswersFor(Address("::1", server.port), AddressEntry::kAny, geteuid()), IsOk());
  EXPECT_THAT(CheckAnswersFor(Address("127.0.0.1", server.port), AddressEntry::kAny, geteuid()),
              kDenied);
}

TEST(AddressGuardTest, AUnixSocketIsForItsUserAndRoot) {
  const AddressGuard guard(UnixFile{}.Name());
  EXPECT_THAT(guard.Admits(-1, geteuid()), IsOk());
  EXPECT_THAT(guard.Admits(-1, 0), IsOk());
  EXPECT_THAT(guard.Admits(-1, geteuid() + 1), kDenied);
}

TEST(AddressGuardTest, TheLoopbackInterfaceIsForItsNetworkNamespace) {
  if (const std::string why = WhyNoUserNamespace(); !why.empty()) GTEST_SKIP() << why;
  const TemporaryDirectory place("/tmp");
  const auto directory = RendezvousDirectory::Open({.configured = place.path()}).value();
  for (const std::string ip : {"127.0.0.1", "::1", "fd00::7"}) {
    const ServiceName name = NameOfAddress(Address(ip, 1), *NetworkNamespace::OfThread());
    auto listener = NameListener::Listen(directory, name).value();
    const AddressGuard guard(name);
    for (const bool elsewhere : {false, true}) {
      ForkedChild client([&] {
        if (elsewhere) {
          EnterUserNamespace(geteuid());
          if (unshare(CLONE_NEWNET) != 0) return "no network namespaces here";
        }
        return Dial(directory, name).ok() ? "" : "not connected";
      });
      if (const std::string why = client.Join(); !why.empty()) GTEST_SKIP() << why;
      const UniqueFd accepted = listener.Accept().value();
      EXPECT_EQ(guard.Admits(accepted.get(), geteuid()).ok(), !elsewhere || ip == "fd00::7");
    }
  }
}

TEST(DeadAddressesTest, FilesOfKilledServersGoAndOthersStay) {
  const TemporaryDirectory place;
  const RendezvousDirectory directory =
      RendezvousDirectory::Open({.configured = place.path()}).value();
  const NetworkNamespace space{.device = 1, .inode = 2};
  const ServiceName dead = NameOfAddress(Address("fd00::7", 1), space);
  ForkedChild server([&] {
    const auto name = NameListener::Listen(directory, dead);
    raise(SIGSTOP);
    pause();
    return "";
  });
  server.AwaitStopAndContinue();
  const auto living = NameListener::Listen(directory, NameOfAnyAddress(1, space));
  RemoveDeadAddresses(directory);
  EXPECT_EQ(place.List().size(), 4u);
  ASSERT_TRUE(server.Kill());
  RemoveDeadAddresses(directory);
  EXPECT_EQ(place.List(),
            (std::vector<std::string>{"tcp=any=1=net1-2.lock", "tcp=any=1=net1-2.sock"}));
}

TEST(DeadAddressesTest, DeadReplicasGoAndTheLivingKeepTheirAddress) {
  const TemporaryDirectory place;
  const RendezvousDirectory directory =
      RendezvousDirectory::Open({.configured = place.path()}).value();
  const ServiceName address = NameOfAddress(Address("10.0.0.7", 1), {.device = 1, .inode = 2});
  auto living = NameListener::ListenAsReplica(directory, address);
  ASSERT_THAT(living, IsOk());
  EXPECT_EQ(living->name(), "tcp=10.0.0.7=1=net1-2=0");
  ForkedChild server([&] {
    const auto name = NameListener::ListenAsReplica(directory, address);
    raise(SIGKILL);
    return "";
  });
  server.Join();
  EXPECT_EQ(place.List().size(), 5u);
  RemoveDeadAddresses(directory);
  EXPECT_EQ(place.List(),
            (std::vector<std::string>{"tcp=10.0.0.7=1=net1-2.lock", "tcp=10.0.0.7=1=net1-2=0.lock",
                                      "tcp=10.0.0.7=1=net1-2=0.sock"}));
  living = absl::CancelledError();
  EXPECT_TRUE(place.List().empty());
}

}  // namespace
}  // namespace grpc_cxl::internal
