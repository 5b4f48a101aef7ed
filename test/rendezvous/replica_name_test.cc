// SPDX-License-Identifier: Apache-2.0

// Which names have replicas, and how theirs are read: numbers, addresses and hosts all have `=` or
// digits of their own.
#include "grpc_cxl/rendezvous/replica_name.h"

#include <string>
#include <vector>

#include "absl/status/status_matchers.h"
#include "gmock/gmock.h"
#include "grpc_cxl/rendezvous/host_name.h"
#include "grpc_cxl/rendezvous/name_listener.h"
#include "grpc_cxl/rendezvous/tcp_address.h"
#include "grpc_cxl/rendezvous/unix_file.h"
#include "gtest/gtest.h"
#include "test/support/temporary_directory.h"

namespace grpc_cxl::internal {
namespace {

using ::absl_testing::IsOk;
using ::absl_testing::StatusIs;
using ::testing::UnorderedElementsAre;

constexpr NetworkNamespace kSpace{.device = 4, .inode = 4026531840};

TEST(ReplicaNameTest, ServicesAddressesAndHostsHaveReplicas) {
  TcpAddress address;
  address.ip = in6addr_loopback;
  address.port = 50051;
  for (const ServiceName& name :
       {*ServiceName::Parse("shop/search"), *ServiceName::Parse("tcp"),
        NameOfAddress(address, kSpace), NameOfAnyAddress(80, kSpace), *NameOfHost("search:80")}) {
    EXPECT_TRUE(MayHaveReplicas(name)) << name.str();
    EXPECT_FALSE(IsReplicaName(name)) << name.str();
    const ServiceName replica = ReplicaName(name, 7);
    EXPECT_EQ(replica.str(), name.str() + "=7");
    EXPECT_FALSE(MayHaveReplicas(replica)) << replica.str();
    EXPECT_TRUE(IsReplicaName(replica)) << replica.str();
    EXPECT_EQ(ServiceOf(replica).str(), name.str());
  }
}

TEST(ReplicaNameTest, NoOthersDo) {
  std::vector<std::string> others = {UnixFile{.device = 8, .inode = 7}.Name().str(),
                                     "offer=0123456789abcdef0123456789abcdef"};
  for (const char* name : {"tcp=any", "tcp=any=50051", "tcp=any=x=net4-1", "tcp=1.2.3=80=net4-1",
                           "tcp=any=80=net4-1=2", "name=search:x", "name=search:80=2"}) {
    others.emplace_back(name);
  }
  for (const std::string& name : others) {
    EXPECT_FALSE(MayHaveReplicas(ServiceName::Reserved(name))) << name;
    EXPECT_FALSE(ParseReplicaName(name + "=3").has_value()) << name;
  }
  EXPECT_FALSE(ParseReplicaName("tcp=any=50051").has_value());  // a port is no number
}

TEST(ReplicaNameTest, OnesOfAnAddressAreFoundAndAFileHasOneServer) {
  const TemporaryDirectory place;
  const auto directory = RendezvousDirectory::Open({.configured = place.path()}).value();
  const ServiceName any = NameOfAnyAddress(80, kSpace), host = *NameOfHost("search:80");
  std::vector<NameListener> replicas;
  for (const ServiceName& name : {any, any, host, NameOfAnyAddress(8, kSpace)}) {
    auto replica = NameListener::ListenAsReplica(directory, name);
    ASSERT_THAT(replica, IsOk());
    replicas.push_back(*std::move(replica));
  }
  const auto find = [&](const ServiceName& name) {
    std::vector<std::string> found;
    for (const ServiceName& replica : FindReplicas(directory, name)) found.push_back(replica.str());
    return found;
  };
  EXPECT_THAT(find(any),
              UnorderedElementsAre("tcp=any=80=net4-4026531840=0", "tcp=any=80=net4-4026531840=1"));
  EXPECT_THAT(find(host), UnorderedElementsAre("name=search:80=0"));
  const auto server = [&](const ServiceName& name) {
    return NameListener::Listen(directory, name);
  };
  EXPECT_THAT(server(any), StatusIs(absl::StatusCode::kAlreadyExists));
  EXPECT_THAT(server(UnixFile{.device = 8, .inode = 7}.Name()), IsOk());
}

// The longest name of all, with the longest rollout, leaves space for one digit.
TEST(ReplicaNameTest, ALongNameHasFewerReplicas) {
  const TemporaryDirectory place;
  const auto directory =
      RendezvousDirectory::Open({.configured = place.path(), .rollout = "0123456789ab"}).value();
  TcpAddress address;
  for (uint8_t& byte : address.ip.s6_addr) byte = 0xfd;
  address.port = 65535;
  std::vector<NameListener> replicas;
  for (int i = 0; i < 10; ++i) {
    auto replica = NameListener::ListenAsReplica(directory, NameOfAddress(address, kSpace));
    ASSERT_THAT(replica, IsOk());
    replicas.push_back(*std::move(replica));
  }
  EXPECT_THAT(NameListener::ListenAsReplica(directory, NameOfAddress(address, kSpace)),
              StatusIs(absl::StatusCode::kInvalidArgument));
}

}  // namespace
}  // namespace grpc_cxl::internal
