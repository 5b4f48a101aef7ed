// SPDX-License-Identifier: Apache-2.0

// Which servers a client finds that is about to connect to a network address, and that it does not
// read the directory for that: every connection over the network comes by here.
#include "grpc_cxl/event_engine/local_server.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/inotify.h>
#include <unistd.h>

#include <string>
#include <utility>
#include <vector>

#include "absl/log/check.h"
#include "gmock/gmock.h"
#include "grpc_cxl/base/unique_fd.h"
#include "grpc_cxl/rendezvous/host_name.h"
#include "grpc_cxl/rendezvous/name_listener.h"
#include "grpc_cxl/rendezvous/network_namespace.h"
#include "grpc_cxl/rendezvous/tcp_address.h"
#include "gtest/gtest.h"
#include "test/rendezvous/at.h"
#include "test/support/temporary_directory.h"

namespace grpc_cxl::internal {
namespace {

using ::grpc_event_engine::experimental::EventEngine;
using ::testing::ElementsAre;
using ::testing::IsEmpty;

constexpr int kPort = 50051;
constexpr char kHost[] = "search:50051";

EventEngine::ResolvedAddress Address(const char* ip) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(kPort);
  CHECK_EQ(inet_pton(AF_INET, ip, &address.sin_addr), 1);
  return {reinterpret_cast<const sockaddr*>(&address), sizeof(address)};
}

// Of a network that is nobody's (RFC 5737).
EventEngine::ResolvedAddress Elsewhere() { return Address("192.0.2.1"); }
EventEngine::ResolvedAddress Here() { return Address("127.0.0.1"); }

class LocalServerTest : public ::testing::Test {
 protected:
  LocalServerTest() : watch_(inotify_init1(IN_CLOEXEC | IN_NONBLOCK)) {
    settings_.directory.configured = directory_.path();
    PCHECK(inotify_add_watch(watch_.get(), directory_.path().c_str(), IN_OPEN) >= 0);
  }

  std::vector<std::string> Find(const EventEngine::ResolvedAddress& address) const {
    std::vector<std::string> names;
    for (const LocalServer& server : FindLocalServers(address, kHost, settings_)) {
      names.push_back(server.name.str());
    }
    return names;
  }
  void Register(const ServiceName& name) {
    auto listener = NameListener::Listen(At(directory_.path()), name);
    CHECK_OK(listener);
    servers_.push_back(*std::move(listener));
  }
  void RegisterReplica(const ServiceName& name) {
    auto listener = NameListener::ListenAsReplica(At(directory_.path()), name);
    CHECK_OK(listener);
    servers_.push_back(*std::move(listener));
  }

  // Whether anybody has opened the directory to read it since the last call.
  bool WasRead() const {
    alignas(inotify_event) char events[4096];
    bool was_read = false;
    ssize_t size;
    while ((size = read(watch_.get(), events, sizeof(events))) > 0) {
      for (ssize_t at = 0; at < size;) {
        const auto* const event = reinterpret_cast<const inotify_event*>(events + at);
        // Events of its files have their names.
        was_read |= (event->mask & IN_OPEN) != 0 && event->len == 0;
        at += static_cast<ssize_t>(sizeof(*event) + event->len);
      }
    }
    return was_read;
  }

  const TemporaryDirectory directory_;
  EndpointSettings settings_;
  const UniqueFd watch_;
  std::vector<NameListener> servers_;
};

TEST_F(LocalServerTest, TheDirectoryIsNotRead) {
  Register(*ServiceName::Parse("other"));
  EXPECT_TRUE(WasRead()) << "by the server; no event would prove nothing";
  EXPECT_THAT(Find(Elsewhere()), IsEmpty());
  EXPECT_THAT(Find(Here()), IsEmpty());
  EXPECT_FALSE(WasRead());
  RegisterReplica(*NameOfHost(kHost));
  EXPECT_TRUE(WasRead());
  EXPECT_THAT(Find(Elsewhere()), ElementsAre("name=search:50051"));
  EXPECT_THAT(Find(Here()), ElementsAre("name=search:50051"));
  EXPECT_FALSE(WasRead());
}

TEST_F(LocalServerTest, AnAddressIsAskedForWhereItIsThisHosts) {
  const NetworkNamespace space = NetworkNamespace::OfThread().value();
  const auto name_of = [&](const EventEngine::ResolvedAddress& address) {
    return NameOfAddress(TcpAddress::From(address.address(), address.size()).value(), space);
  };
  const ServiceName any = NameOfAnyAddress(kPort, space), here = name_of(Here());
  Register(any);
  Register(here);
  Register(name_of(Elsewhere()));  // which was this host's, once
  Register(*NameOfHost(kHost));
  EXPECT_THAT(Find(Elsewhere()), ElementsAre("name=search:50051"));
  EXPECT_THAT(Find(Here()), ElementsAre(here.str(), any.str(), "name=search:50051"));
}

}  // namespace
}  // namespace grpc_cxl::internal
