// What a client sees when it reaches its server and is refused: another layout version,
// another user, a limit reached, no memory. The others must go on.

#include <gmock/gmock.h>
#include <grpc/impl/channel_arg_names.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <chrono>
#include <memory>
#include <string>
#include <thread>

#include "absl/strings/str_cat.h"
#include "grpc_cxl/rendezvous/dial.h"
#include "grpc_cxl/rendezvous/handshake_layout.h"
#include "grpc_cxl/rendezvous/name_listener.h"
#include "test/e2e/child.h"
#include "test/e2e/echo_pair.h"
#include "test/e2e/test_directory.h"

namespace grpc_cxl::e2e {
namespace {

using ::testing::AllOf;
using ::testing::ContainsRegex;
using ::testing::HasSubstr;

constexpr uid_t kSomebodyElse = 65534;

internal::ServiceName EchoName() { return internal::ServiceName::Parse("e2e/echo").value(); }

bool AwaitReadable(int fd) {
  pollfd readable = {fd, POLLIN, 0};
  return poll(&readable, 1, 20'000) == 1;
}

// A channel that does not share its connection with others.
std::shared_ptr<grpc::Channel> OwnChannel(const Transport& transport) {
  return MakeChannel(transport, {.configure = [](grpc::ChannelArguments* arguments) {
                       arguments->SetInt(GRPC_ARG_USE_LOCAL_SUBCHANNEL_POOL, 1);
                     }});
}

// How the first call on a new connection fails: the text of UNAVAILABLE.
std::string CallError(const Transport& transport) {
  const auto stub = Echo::NewStub(OwnChannel(transport));
  const grpc::Status status = Perform(stub.get(), {}).status;
  EXPECT_EQ(status.error_code(), grpc::UNAVAILABLE) << status.error_message();
  return status.error_message();
}

// A server of a later release: it answers the first Hello with a Welcome of its own.
TEST(RefusalsTest, ServerHasAnotherLayoutVersion) {
  const TestDirectory directory;
  auto listener = internal::NameListener::Listen(directory.path(), EchoName());
  ASSERT_TRUE(listener.ok()) << listener.status();
  std::thread server([&listener] {
    ASSERT_TRUE(AwaitReadable(listener->fd()));
    const auto socket = listener->Accept();
    ASSERT_TRUE(socket.ok() && *socket);
    ASSERT_TRUE(AwaitReadable(socket->get()));
    internal::HelloMessage hello;
    ASSERT_EQ(recv(socket->get(), &hello, sizeof(hello), 0), sizeof(hello));
    EXPECT_EQ(hello.preamble.layout_version, internal::kLayoutVersion);
    internal::WelcomeMessage welcome{};
    welcome.preamble = {internal::kHandshakeMagic, internal::kLayoutVersion + 1,
                        internal::kNoFeatures};
    ASSERT_EQ(send(socket->get(), &welcome, sizeof(welcome), 0), sizeof(welcome));
  });
  EXPECT_THAT(
      CallError(*Transport::Join(TransportKind::kCxl, directory.path())),
      AllOf(HasSubstr(absl::StrCat("the server has version ", internal::kLayoutVersion + 1)),
            HasSubstr(absl::StrCat("the client has version ", internal::kLayoutVersion)),
            HasSubstr("the client is the older one")));
  server.join();
}

// A client of an earlier release, which gets the reason in words.
TEST(RefusalsTest, ClientHasAnotherLayoutVersion) {
  EchoPair pair(TransportKind::kCxl);
  const auto socket = internal::Dial(pair.transport->place(), EchoName());
  ASSERT_TRUE(socket.ok()) << socket.status();
  internal::HelloMessage hello{};
  hello.preamble = {internal::kHandshakeMagic, internal::kLayoutVersion - 1, internal::kNoFeatures};
  ASSERT_EQ(send(socket->get(), &hello, sizeof(hello), 0), sizeof(hello));
  ASSERT_TRUE(AwaitReadable(socket->get()));
  internal::WelcomeMessage welcome;
  ASSERT_EQ(recv(socket->get(), &welcome, sizeof(welcome), 0), sizeof(welcome));
  EXPECT_EQ(welcome.refusal, static_cast<uint32_t>(internal::Refusal::kVersion));
  EXPECT_THAT(welcome.reason, HasSubstr("the client is the older one"));
  char byte;
  EXPECT_TRUE(AwaitReadable(socket->get()));
  EXPECT_EQ(recv(socket->get(), &byte, 1, 0), 0) << "the connection was not closed";
  EXPECT_TRUE(pair.Run({}).status.ok());
}

class OtherUserTest : public ::testing::Test {
 protected:
  OtherUserTest() : directory_("/tmp") { chmod(directory_.path().c_str(), 0755); }

  void SetUp() override {
    if (geteuid() != 0) GTEST_SKIP() << "only root can start a client as another user";
  }

  // What a client of another user gets from its first call.
  std::string CallAsSomebodyElse() {
    Child client(
        {"--role=client", "--place=" + directory_.path(), absl::StrCat("--uid=", kSomebodyElse)});
    return client.ReadLine().value_or("nothing");
  }

  const TestDirectory directory_;
};

TEST_F(OtherUserTest, IsRefused) {
  const auto transport = Transport::Join(TransportKind::kCxl, directory_.path());
  const auto server = EchoServer::Start(*transport);
  ASSERT_NE(server, nullptr);
  EXPECT_THAT(CallAsSomebodyElse(),
              AllOf(HasSubstr(absl::StrCat("unary ", grpc::UNAVAILABLE, " ")),
                    HasSubstr("the client runs as uid 65534, but the server (uid 0) meets only")));
}

TEST_F(OtherUserTest, IsWelcomeWhenAllowed) {
  ServerOptions options;
  options.allowed_uids = {kSomebodyElse};
  const auto transport = Transport::Join(TransportKind::kCxl, directory_.path(), options);
  const auto server = EchoServer::Start(*transport);
  ASSERT_NE(server, nullptr);
  EXPECT_EQ(CallAsSomebodyElse(), "unary 0 ");
}

// Whoever answers to a name reads the requests: it must be a user whom the client trusts.
TEST_F(OtherUserTest, IsNotTrustedAsServer) {
  ASSERT_EQ(chmod(directory_.path().c_str(), 0777), 0);
  Child server(
      {"--role=server", "--place=" + directory_.path(), absl::StrCat("--uid=", kSomebodyElse)});
  ASSERT_EQ(server.ReadLine(), "serving");
  EXPECT_THAT(CallError(*Transport::Join(TransportKind::kCxl, directory_.path())),
              HasSubstr("the server runs as uid 65534, but the client (uid 0) meets only"));
}

TEST(RefusalsTest, ConnectionLimitIsReached) {
  ServerOptions options;
  options.max_connections = 2;
  const auto transport = Transport::Make(TransportKind::kCxl, options);
  const auto server = EchoServer::Start(*transport);
  ASSERT_NE(server, nullptr);
  auto first = OwnChannel(*transport);
  auto second = OwnChannel(*transport);
  EXPECT_TRUE(Perform(Echo::NewStub(first).get(), {}).status.ok());
  EXPECT_TRUE(Perform(Echo::NewStub(second).get(), {}).status.ok());
  EXPECT_THAT(CallError(*transport), HasSubstr("the server's limit of 2 connections is reached "
                                               "(ServerOptions::max_connections)"));
  // The others go on, and one that leaves makes room.
  EXPECT_TRUE(Perform(Echo::NewStub(first).get(), {}).status.ok());
  second.reset();
  const auto third = OwnChannel(*transport);
  const ClientCall patient = {.prepare = [](grpc::ClientContext* context) {
    context->set_wait_for_ready(true);
    context->set_deadline(std::chrono::system_clock::now() + std::chrono::seconds(20));
  }};
  EXPECT_TRUE(Perform(Echo::NewStub(third).get(), patient).status.ok());
}

TEST(RefusalsTest, ArenaBudgetIsReached) {
  ServerOptions options;
  options.ring_bytes = 64 << 10;
  options.payload_bytes = 0;
  options.max_total_arena_bytes = 200 << 10;  // room for one arena of 140 KiB
  const auto transport = Transport::Make(TransportKind::kCxl, options);
  const auto server = EchoServer::Start(*transport);
  ASSERT_NE(server, nullptr);
  const auto first = OwnChannel(*transport);
  EXPECT_TRUE(Perform(Echo::NewStub(first).get(), {}).status.ok());
  EXPECT_THAT(CallError(*transport),
              ContainsRegex("the server has [0-9]+ of 204800 arena bytes in use and a connection "
                            "takes [0-9]+ .ServerOptions::max_total_arena_bytes"));
  EXPECT_TRUE(Perform(Echo::NewStub(first).get(), {}).status.ok());
}

// More than any machine has: it must not be taken before it is known to be there.
TEST(RefusalsTest, ArenaCannotBeHad) {
  ServerOptions options;
  options.arena_bytes = size_t{1} << 45;
  options.max_total_arena_bytes = size_t{1} << 46;
  const auto transport = Transport::Make(TransportKind::kCxl, options);
  const auto server = EchoServer::Start(*transport);
  ASSERT_NE(server, nullptr);
  EXPECT_THAT(CallError(*transport),
              AllOf(HasSubstr("the server refused the connection: "), HasSubstr("memory")));
}

}  // namespace
}  // namespace grpc_cxl::e2e
