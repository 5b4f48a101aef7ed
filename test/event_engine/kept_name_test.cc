// SPDX-License-Identifier: Apache-2.0
// Proves that a server can be reached again after its files, or their directory, were removed
// under it, and that a server whose name was taken that way has it back when it is free.
#include <chrono>
#include <filesystem>
#include <optional>
#include <string>
#include <utility>

#include "absl/time/time.h"
#include "gmock/gmock.h"
#include "grpc_cxl/rendezvous/name_listener.h"
#include "gtest/gtest.h"
#include "test/e2e/log_capture.h"
#include "test/event_engine/test_server.h"
#include "test/rendezvous/at.h"
#include "test/support/eventually.h"

namespace grpc_cxl::internal {
namespace {

using ::testing::ElementsAre;

class KeptNameTest : public EngineTest {
 protected:
  KeptNameTest() { Start(server_); }

  void Remove(const std::string& file) const { std::filesystem::remove(directory_.path() + file); }
  void ExpectReachable() {
    EXPECT_TRUE(Eventually([&] { return Connect().ok(); }));
    EXPECT_TRUE(Eventually([&] { return directory_.List().size() == 2; }));
    EXPECT_THAT(directory_.List(), ElementsAre("payments.lock", "payments.sock"));
  }

  TestServer server_;
};

// A change is seen when it is made, not at the next routine look, each of which takes 5 s.
TEST_F(KeptNameTest, RestoresWhatIsRemoved) {
  const auto start = std::chrono::steady_clock::now();
  for (int i = 0; i < 2; ++i) {
    Remove("/payments.lock");
    ExpectReachable();
    Remove("/payments.sock");
    ExpectReachable();
    std::filesystem::remove_all(directory_.path());
    ExpectReachable();
  }
  EXPECT_LT(std::chrono::steady_clock::now() - start, std::chrono::seconds(15));
}

TEST_F(KeptNameTest, RestoresInADirectoryThatTookTheOldOnesPlace) {
  std::filesystem::rename(directory_.path(), directory_.path() + ".old");
  std::filesystem::create_directory(directory_.path());
  ExpectReachable();
  EXPECT_TRUE(std::filesystem::is_empty(directory_.path() + ".old"));
  std::filesystem::remove(directory_.path() + ".old");
}

TEST_F(KeptNameTest, ANameThatWasTakenComesBack) {
  std::optional<NameListener> other;
  ASSERT_TRUE(Eventually([&] {
    Remove("/payments.lock");
    Remove("/payments.sock");
    auto listener = NameListener::Listen(At(directory_.path()), *ServiceName::Parse("payments"));
    if (listener.ok()) other = *std::move(listener);
    return listener.ok();
  }));
  ASSERT_FALSE(Connect(std::chrono::milliseconds(10)).ok()) << "`other` does not answer";
  EXPECT_EQ(server_.Accept(absl::ZeroDuration()), nullptr);
  other.reset();
  ExpectReachable();
}

// Each of three servers takes the name from the one before. When the second ends, the first learns
// that its successor has gone; the name is the third's, which is no error.
TEST_F(KeptNameTest, OfAChainOfSuccessorsTheFirstComplainsOfNothing) {
  e2e::LogCapture errors;
  server_options_.take_over = true;
  TestServer second, third;
  Start(second);
  Start(third);
  second.Shutdown();
  EXPECT_TRUE(Connect().ok());
  EXPECT_NE(third.Accept(), nullptr);
  third.Shutdown();
  // Then the first takes it again, and has looked for it in vain before.
  EXPECT_TRUE(Eventually([&] { return Connect().ok(); }));
  EXPECT_NE(server_.Accept(), nullptr);
  EXPECT_EQ(errors.text(), "");
}

}  // namespace
}  // namespace grpc_cxl::internal
