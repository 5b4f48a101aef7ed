// Proves that the greeter's server and client work as their comments say, on every kind of
// address, and that Ctrl-C ends the server without a trace.

#include <signal.h>
#include <stdlib.h>

#include <memory>
#include <string>

#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "test/bench/program.h"

namespace grpc_cxl::bench {
namespace {

class GreeterTest : public testing::Test {
 protected:
  GreeterTest() : directory_(*TemporaryDirectory::Create()) {
    setenv("GRPC_CXL_DIR", directory_.path().c_str(), /*overwrite=*/1);
  }

  void ServeAndGreet(const std::string& address) {
    const auto server = Program::Start("examples/greeter/server", {"--address=" + address});
    ASSERT_TRUE(server->WaitForOutput("Listening on " + address)) << server->output();
    const auto client =
        Program::Start("examples/greeter/client", {"--address=" + address, "--name=Ada"});
    EXPECT_EQ(client->Wait(), 0);
    EXPECT_EQ(client->output(), "Hello, Ada!\n");
    kill(server->pid(), SIGINT);
    EXPECT_EQ(server->Wait(), 0) << server->output();
  }

  TemporaryDirectory directory_;
};

TEST_F(GreeterTest, Cxl) { ServeAndGreet("cxl:///greeter"); }

TEST_F(GreeterTest, Unix) {
  ServeAndGreet(absl::StrCat("unix:", directory_.path(), "/greeter"));
  EXPECT_FALSE(std::filesystem::exists(directory_.path() + "/greeter"));
}

TEST_F(GreeterTest, Tcp) {
  // Any port that is free now; nobody else is likely to take it within this second.
  ServeAndGreet("127.0.0.1:50351");
}

TEST_F(GreeterTest, ClientWithoutServerFails) {
  const auto client = Program::Start("examples/greeter/client", {});
  EXPECT_EQ(client->Wait(), 1);
  EXPECT_THAT(client->output(), testing::HasSubstr("The call failed with status 14: "));
}

}  // namespace
}  // namespace grpc_cxl::bench
