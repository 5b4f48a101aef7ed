// SPDX-License-Identifier: Apache-2.0

// What a user of cxl sees when a name, a directory or an option is wrong, or when the server
// refuses a client: the status code and the text on the client, BuildAndStart() == nullptr and
// the log line on the server. The others must go on.

#include <gmock/gmock.h>
#include <grpcpp/create_channel.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/time/time.h"
#include "grpc_cxl/channel_credentials.h"
#include "grpc_cxl/server_credentials.h"
#include "test/e2e/child.h"
#include "test/e2e/echo_pair.h"
#include "test/e2e/log_capture.h"
#include "test/support/forked_child.h"
#include "test/support/temporary_directory.h"

namespace grpc_cxl::e2e {
namespace {

using internal::kNobody;
using ::testing::AllOf;
using ::testing::ContainsRegex;
using ::testing::HasSubstr;
using ::testing::Matcher;

const char kName[] = "cxl:///shop/payments";

// How the first call on a new channel fails: the text of UNAVAILABLE.
std::string CallError(const std::shared_ptr<grpc::Channel>& channel) {
  const grpc::Status status = Perform(Echo::NewStub(channel).get(), {}).status;
  EXPECT_EQ(status.error_code(), grpc::UNAVAILABLE) << status.error_message();
  return status.error_message();
}
std::string CallError(const Transport& transport) {
  return CallError(MakeChannel(transport, OwnConnection()));
}

class ErrorsTest : public ::testing::Test {
 protected:
  ErrorsTest() { UseDirectory(directory_.path()); }
  void UseDirectory(const std::string& path) {
    channel_.rendezvous_directory = server_.rendezvous_directory = path;
  }

  std::string ClientsError(const std::string& target = kName) {
    return CallError(grpc::CreateChannel(target, ChannelCredentials(channel_)));
  }
  // What is logged about a server that cannot start.
  std::string ServersError(const std::string& address = kName) {
    LogCapture log;
    const auto service = EchoService::Make(ServerApi::kCallback);
    grpc::ServerBuilder builder;
    builder.AddListeningPort(address, ServerCredentials(server_));
    service->Register(&builder);
    EXPECT_EQ(builder.BuildAndStart(), nullptr) << "the server started";
    return log.text();
  }
  void ExpectBoth(const Matcher<std::string>& text, const std::string& name = kName) {
    EXPECT_THAT(ClientsError(name), text);
    EXPECT_THAT(ServersError(name), text);
  }

  const internal::TemporaryDirectory directory_;
  ChannelOptions channel_;
  ServerOptions server_;
};

TEST_F(ErrorsTest, MalformedName) {
  for (const auto& [name, text] : std::vector<std::pair<std::string, std::string>>{
           {"cxl:///a b", "the service name \"a b\" has the character \" \""},
           {"cxl://node3/payments", "names a host, but both ends are on one host"},
           {"cxl:///" + std::string(1000, 'x'), "has 1000 characters; at most"}}) {
    ExpectBoth(HasSubstr(text), name);
  }
}

TEST_F(ErrorsTest, NobodyListens) {
  EXPECT_THAT(ClientsError(),
              AllOf(HasSubstr("no server listens on \"shop/payments\" in " + directory_.path()),
                    HasSubstr("GRPC_CXL_DIR")));
}

// What else can be wrong with it: test/rendezvous/rendezvous_directory_test.cc.
TEST_F(ErrorsTest, DirectoryIsMissing) {
  UseDirectory(directory_.path() + "/missing");
  ExpectBoth(HasSubstr(absl::StrCat("cannot use the rendezvous directory ", directory_.path(),
                                    "/missing (from the options): the directory does not exist")));
}

TEST_F(ErrorsTest, OptionIsOutOfRange) {
  channel_.max_spin = -absl::Seconds(1);
  EXPECT_THAT(ClientsError(), HasSubstr("grpc_cxl option max_spin is -1s"));
  server_.ring_bytes = 5000;
  EXPECT_THAT(ServersError(), HasSubstr("grpc_cxl option ring_bytes is 5000"));
}

TEST_F(ErrorsTest, NameIsTaken) {
  const auto transport = Transport::Join(TransportKind::kCxl, directory_.path());
  const auto taken_by = [](pid_t pid) {
    return AllOf(HasSubstr("cannot listen on cxl:///e2e/echo"),
                 HasSubstr(absl::StrCat("already served by process ", pid)));
  };
  {
    const auto first = EchoServer::Start(*transport);
    ASSERT_NE(first, nullptr);
    EXPECT_THAT(ServersError(transport->address()), taken_by(getpid()));
  }
  Child other("server", TransportKind::kCxl, directory_.path());
  ASSERT_EQ(other.ReadLine(), "serving");
  EXPECT_THAT(ServersError(transport->address()), taken_by(other.pid()));
  // A killed owner leaves the name free, and a server that could not have it harms nobody.
  other.Kill();
  EXPECT_NE(EchoServer::Start(*transport), nullptr);
}

// The server of a name reads the requests, so both ends must trust the other's user.
TEST(RefusalsTest, TheOtherEndIsAnotherUser) {
  if (geteuid() != 0) GTEST_SKIP() << "only root can start a process as another user";
  const internal::TemporaryDirectory directory("/tmp");  // all its parents are open to everybody
  ASSERT_EQ(chmod(directory.path().c_str(), 0777), 0);
  const std::vector<std::string> as_nobody = {absl::StrCat("--uid=", kNobody)};
  for (const bool allowed : {false, true}) {
    ServerOptions options;
    if (allowed) options.allowed_uids = {kNobody};
    const auto transport = Transport::Join(TransportKind::kCxl, directory.path(), options);
    const auto server = EchoServer::Start(*transport);
    ASSERT_NE(server, nullptr);
    Child client("client", TransportKind::kCxl, directory.path(), as_nobody);
    const std::string said = client.ReadLine().value_or("nothing");
    if (allowed) {
      EXPECT_EQ(said, "unary 0 ");
    } else {
      EXPECT_THAT(said, AllOf(HasSubstr(absl::StrCat("unary ", grpc::UNAVAILABLE, " ")),
                              HasSubstr("the client runs as uid 65534, but the server (uid 0) "
                                        "accepts only")));
    }
  }
  Child server("server", TransportKind::kCxl, directory.path(), as_nobody);
  ASSERT_EQ(server.ReadLine(), "serving");
  EXPECT_THAT(CallError(*Transport::Join(TransportKind::kCxl, directory.path())),
              HasSubstr("the server runs as uid 65534, but the client (uid 0) accepts only"));
}

TEST(RefusalsTest, ALimitIsReached) {
  ServerOptions one_connection;
  one_connection.max_connections = 1;
  ServerOptions one_arena = WithSizes(4 << 10, 0);
  one_arena.max_total_arena_bytes = 30 << 10;  // space for one of 20 KiB
  for (const auto& [options, text] : std::vector<std::pair<ServerOptions, Matcher<std::string>>>{
           {one_connection, HasSubstr("the server's limit of 1 connections is reached "
                                      "(ServerOptions::max_connections)")},
           {one_arena,
            ContainsRegex("the server has [0-9]+ of 30720 arena bytes in use and a connection "
                          "takes [0-9]+ .ServerOptions::max_total_arena_bytes")}}) {
    EchoPair pair(TransportKind::kCxl, {.options = options});
    EXPECT_TRUE(pair.Run({}).status.ok());
    EXPECT_THAT(CallError(*pair.transport), text);
    // The others go on, and a client that leaves makes space.
    EXPECT_TRUE(pair.Run({}).status.ok());
    pair.stub.reset();
    pair.channel.reset();
    const auto stub = Echo::NewStub(MakeChannel(*pair.transport, OwnConnection()));
    const Outcome outcome = Perform(stub.get(), {.prepare = Patiently()});
    EXPECT_TRUE(outcome.status.ok()) << outcome;
  }
}

// More than any machine has: files have all of it reserved.
TEST(RefusalsTest, ArenaCannotBeHad) {
  ServerOptions options;
  options.arena_bytes = size_t{1} << 45;
  options.max_total_arena_bytes = size_t{1} << 46;
  options.backing = {ArenaBacking::Kind::kDirectory, testing::TempDir()};
  EchoPair pair(TransportKind::kCxl, {.options = options});
  EXPECT_THAT(CallError(*pair.transport),
              AllOf(HasSubstr("the server refused the connection: "), HasSubstr("cannot reserve")));
}

}  // namespace
}  // namespace grpc_cxl::e2e
