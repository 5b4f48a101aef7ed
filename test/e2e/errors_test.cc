// What a user of cxl sees when a name, a directory or an option is wrong: the status code
// and the text on the client, BuildAndStart() == nullptr and the log line on the server.

#include <gmock/gmock.h>
#include <grpcpp/create_channel.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <memory>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "grpc_cxl/channel_credentials.h"
#include "grpc_cxl/server_credentials.h"
#include "test/e2e/child.h"
#include "test/e2e/echo_pair.h"
#include "test/e2e/log_capture.h"
#include "test/e2e/test_directory.h"

namespace grpc_cxl::e2e {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;

constexpr uid_t kSomebodyElse = 65534;
const char kName[] = "cxl:///shop/payments";

class ErrorsTest : public ::testing::Test {
 protected:
  ChannelOptions Channel() const {
    ChannelOptions options;
    options.rendezvous_directory = directory_.path();
    return options;
  }
  ServerOptions Server() const {
    ServerOptions options;
    options.rendezvous_directory = directory_.path();
    return options;
  }

  // How the first call on a new channel fails: the text of UNAVAILABLE.
  static std::string CallError(const std::string& target, const ChannelOptions& options) {
    const auto stub = Echo::NewStub(grpc::CreateChannel(target, ChannelCredentials(options)));
    const grpc::Status status = PerformSync(stub.get(), {}).status;
    EXPECT_EQ(status.error_code(), grpc::UNAVAILABLE) << status.error_message();
    return status.error_message();
  }

  // What is logged about a server that cannot start.
  static std::string StartError(const std::string& address, const ServerOptions& options) {
    LogCapture log;
    const auto service = EchoService::Make(ServerApi::kCallback);
    grpc::ServerBuilder builder;
    builder.AddListeningPort(address, ServerCredentials(options));
    service->Register(&builder);
    EXPECT_EQ(builder.BuildAndStart(), nullptr) << "the server started";
    return log.text();
  }

  const TestDirectory directory_;
};

TEST_F(ErrorsTest, MalformedName) {
  const struct {
    const char* target;
    const char* text;
  } kCases[] = {
      {"cxl:", "the service name \"\" is empty"},
      {"cxl:///", "the service name \"\" is empty"},
      {"cxl:///a b", "the service name \"a b\" has the character \" \""},
      {"cxl:///../x", "the service name \"../x\" has the part \"..\""},
      {"cxl:///a//b", "the service name \"a//b\" has an empty part"},
      {"cxl:///a/", "the service name \"a/\" has an empty part"},
      {"cxl://node3/payments", "names a host, but both ends are on one host"},
  };
  for (const auto& [target, text] : kCases) {
    EXPECT_THAT(CallError(target, Channel()), HasSubstr(text));
    EXPECT_THAT(StartError(target, Server()), HasSubstr(text));
  }
  const std::string long_target = absl::StrCat("cxl:///", std::string(1000, 'x'));
  EXPECT_THAT(CallError(long_target, Channel()), HasSubstr("has 1000 characters; at most"));
  EXPECT_THAT(StartError(long_target, Server()), HasSubstr("has 1000 characters; at most"));
}

TEST_F(ErrorsTest, NobodyListens) {
  EXPECT_THAT(CallError(kName, Channel()),
              AllOf(HasSubstr("nobody listens on \"shop/payments\" in " + directory_.path()),
                    HasSubstr("GRPC_CXL_DIR")));
}

TEST_F(ErrorsTest, DirectoryIsMissing) {
  ChannelOptions channel = Channel();
  ServerOptions server = Server();
  channel.rendezvous_directory = server.rendezvous_directory += "/missing";
  const auto text =
      HasSubstr(absl::StrCat("cannot use the rendezvous directory ", server.rendezvous_directory,
                             " (from the options): the directory does not exist"));
  EXPECT_THAT(CallError(kName, channel), text);
  EXPECT_THAT(StartError(kName, server), text);
}

TEST_F(ErrorsTest, DirectoryIsNone) {
  ChannelOptions channel = Channel();
  ServerOptions server = Server();
  channel.rendezvous_directory = server.rendezvous_directory = "/proc/self/exe";
  EXPECT_THAT(CallError(kName, channel), HasSubstr("is not a directory"));
  EXPECT_THAT(StartError(kName, server), HasSubstr("is not a directory"));
}

// By a child that is no root, since root may write everywhere.
TEST_F(ErrorsTest, DirectoryIsNotWritable) {
  const TestDirectory directory("/tmp");  // all its parents are open to everybody
  ASSERT_EQ(chmod(directory.path().c_str(), 0555), 0);
  std::vector<std::string> flags = {"--role=server", "--place=" + directory.path()};
  if (geteuid() == 0) flags.push_back(absl::StrCat("--uid=", kSomebodyElse));
  Child server(flags);
  EXPECT_THAT(server.ReadLine().value_or("nothing"),
              AllOf(HasSubstr("not serving: cannot listen on cxl:///e2e/echo"),
                    HasSubstr(directory.path()), HasSubstr("give this user access")));
  EXPECT_EQ(server.Finish(), 1);
}

TEST_F(ErrorsTest, DirectoryBelongsToSomebodyElse) {
  if (geteuid() != 0) GTEST_SKIP() << "only root can give a directory to somebody else";
  ASSERT_EQ(chown(directory_.path().c_str(), kSomebodyElse, kSomebodyElse), 0);
  const auto text = AllOf(HasSubstr(directory_.path()), HasSubstr("belongs to uid 65534"));
  EXPECT_THAT(CallError(kName, Channel()), text);
  EXPECT_THAT(StartError(kName, Server()), text);
}

TEST_F(ErrorsTest, OptionIsOutOfRange) {
  ChannelOptions channel = Channel();
  channel.max_spin = -absl::Seconds(1);
  EXPECT_THAT(CallError(kName, channel), HasSubstr("grpc_cxl option max_spin is -1s"));
  ServerOptions server = Server();
  server.ring_bytes = 5000;
  EXPECT_THAT(StartError(kName, server), HasSubstr("grpc_cxl option ring_bytes is 5000"));
}

TEST_F(ErrorsTest, NameIsTaken) {
  const auto transport = Transport::Join(TransportKind::kCxl, directory_.path());
  const std::string address = transport->address();
  {
    const auto first = EchoServer::Start(*transport);
    ASSERT_NE(first, nullptr);
    EXPECT_THAT(StartError(address, Server()),
                HasSubstr(absl::StrCat("cannot listen on cxl:///e2e/echo")));
    EXPECT_THAT(StartError(address, Server()),
                HasSubstr(absl::StrCat("already served by process ", getpid())));
  }
  Child other({"--role=server", "--place=" + directory_.path()});
  ASSERT_EQ(other.ReadLine(), "serving");
  EXPECT_THAT(StartError(address, Server()),
              HasSubstr(absl::StrCat("already served by process ", other.pid())));
  // A killed owner leaves the name free, and a server that could not have it harms nobody.
  other.Kill();
  EXPECT_NE(EchoServer::Start(*transport), nullptr);
}

}  // namespace
}  // namespace grpc_cxl::e2e
