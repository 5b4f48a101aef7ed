// SPDX-License-Identifier: Apache-2.0

// Once grpc_cxl is in use, everything else of gRPC in the same process works as before: channels
// and servers made of file descriptors, TCP beside cxl, and plain credentials are told what a
// cxl: name needs.

#include <arpa/inet.h>
#include <grpc/passive_listener.h>
#include <grpcpp/create_channel.h>
#include <grpcpp/create_channel_posix.h>
#include <grpcpp/security/credentials.h>
#include <grpcpp/server_posix.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <memory>
#include <string>
#include <utility>

#include "absl/log/check.h"
#include "absl/strings/str_cat.h"
#include "grpc_cxl/base/unique_fd.h"
#include "grpc_cxl/direct_calls.h"
#include "test/e2e/calls_fixture.h"

namespace grpc_cxl::e2e {
namespace {

using internal::UniqueFd;

std::pair<int, int> ConnectedSockets() {
  int ends[2];
  PCHECK(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, ends) == 0);
  return {ends[0], ends[1]};
}

void ExpectWorks(const std::shared_ptr<grpc::Channel>& channel, const std::string& what) {
  const auto stub = Echo::NewStub(channel);
  const Outcome outcome = Perform(stub.get(), {.prepare = Patiently()});
  EXPECT_TRUE(outcome.status.ok()) << what << ": " << outcome;
}

std::shared_ptr<grpc::Channel> PlainChannel(const std::string& target) {
  return grpc::CreateChannel(target, grpc::InsecureChannelCredentials());
}

// A TCP connection that the application accepts by itself.
class OwnListener {
 public:
  OwnListener() : socket_(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    sockaddr_in here = {};
    here.sin_family = AF_INET;
    here.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof(here);
    PCHECK(bind(fd(), reinterpret_cast<sockaddr*>(&here), size) == 0 && listen(fd(), 1) == 0);
    PCHECK(getsockname(fd(), reinterpret_cast<sockaddr*>(&here), &size) == 0);
    target_ = absl::StrCat("127.0.0.1:", ntohs(here.sin_port));
  }
  int fd() const { return socket_.get(); }
  const std::string& target() const { return target_; }
  int Accept() const { return accept4(fd(), nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK); }

 private:
  const UniqueFd socket_;
  std::string target_;
};

// The server's own transport is tcp or cxl.
class NeighboursTest : public EveryTransport {
 protected:
  // grpc_cxl is in use whatever the transport of the test.
  const EchoPair cxl_{TransportKind::kCxlDirect};
};

TEST_P(NeighboursTest, FileDescriptorsOnBothSides) {
  std::unique_ptr<grpc::experimental::ExternalConnectionAcceptor> acceptor;
  std::unique_ptr<grpc::experimental::PassiveListener> passive;
  EchoPair pair(GetParam(), {.configure = [&](grpc::ServerBuilder* builder) {
                  using Type = grpc::ServerBuilder::experimental_type::ExternalConnectionType;
                  auto experimental = builder->experimental();
                  acceptor = experimental.AddExternalConnectionAcceptor(
                      Type::FROM_FD, grpc::InsecureServerCredentials());
                  experimental.AddPassiveListener(grpc::InsecureServerCredentials(), passive);
                }});
  {
    const auto [server_end, client_end] = ConnectedSockets();
    grpc::AddInsecureChannelFromFd(&pair.server->server(), server_end);
    ExpectWorks(grpc::CreateInsecureChannelFromFd("fd", client_end), "InsecureChannelFromFd");
  }
  {
    const auto [server_end, client_end] = ConnectedSockets();
    EXPECT_TRUE(passive->AcceptConnectedFd(server_end).ok());
    ExpectWorks(grpc::experimental::CreateChannelFromFd(
                    client_end, grpc::InsecureChannelCredentials(), grpc::ChannelArguments()),
                "CreateChannelFromFd, AcceptConnectedFd");
  }
  const OwnListener listener;
  const auto channel = PlainChannel(listener.target());
  channel->GetState(/*try_to_connect=*/true);
  grpc::experimental::ExternalConnectionAcceptor::NewConnectionParameters accepted;
  accepted.listener_fd = listener.fd();
  accepted.fd = listener.Accept();
  acceptor->HandleNewConnection(&accepted);
  ExpectWorks(channel, "external acceptor");
  ExpectWorks(pair.channel, "the server's own transport");
  ExpectWorks(cxl_.channel, "cxl");
}

TEST_P(NeighboursTest, TcpPortBesideItOnOneServer) {
  int port = 0;
  EchoPair pair(GetParam(), {.configure = [&](grpc::ServerBuilder* builder) {
                  builder->AddListeningPort("127.0.0.1:0", grpc::InsecureServerCredentials(),
                                            &port);
                }});
  ExpectWorks(pair.channel, "the server's own transport");
  ASSERT_GT(port, 0);
  ExpectWorks(PlainChannel(absl::StrCat("localhost:", port)), "its TCP port");
}

// Names need our credentials; nothing listens on, or connects to, a socket of that name instead.
TEST_P(NeighboursTest, PlainCredentialsAreToldWhatNamesNeed) {
  const auto channel = PlainChannel("cxl:///e2e/echo");
  const Outcome outcome = Perform(Echo::NewStub(channel).get(), {});
  EXPECT_EQ(outcome.status.error_code(), grpc::UNAVAILABLE);
  EXPECT_NE(outcome.status.error_message().find("grpc_cxl::ChannelCredentials()"),
            std::string::npos)
      << outcome;
  Echo::Service service;
  grpc::ServerBuilder builder;
  builder.RegisterService(&service);
  builder.AddListeningPort("cxl:///e2e/echo", grpc::InsecureServerCredentials());
  EXPECT_EQ(builder.BuildAndStart(), nullptr);
}

TEST(InnerCredentialsTest, InsecureIsTheSameAsNone) {
  EchoPair pair(TransportKind::kCxlDirect, {.security = grpc::InsecureServerCredentials()},
                {.security = grpc::InsecureChannelCredentials()});
  Connect(*pair.channel);
  const uint64_t before = GetDirectCallStats().direct;
  EXPECT_TRUE(pair.Run({}).status.ok());
  EXPECT_EQ(GetDirectCallStats().direct, before + 1);
}

INSTANTIATE_TEST_SUITE_P(Servers, NeighboursTest,
                         ::testing::Values(TransportKind::kTcp, TransportKind::kCxlDirect),
                         ParamName());

}  // namespace
}  // namespace grpc_cxl::e2e
