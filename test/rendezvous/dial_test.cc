// SPDX-License-Identifier: Apache-2.0
// Proves what a client is told when it cannot connect, by name and directory. (That connecting
// leaves no descriptor: event_engine/connect_test.)
#include "grpc_cxl/rendezvous/dial.h"

#include <sys/stat.h>
#include <unistd.h>

#include <fstream>
#include <string>

#include "absl/status/status.h"
#include "absl/status/status_matchers.h"
#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "grpc_cxl/rendezvous/name_listener.h"
#include "gtest/gtest.h"
#include "test/support/forked_child.h"
#include "test/support/temporary_directory.h"

namespace grpc_cxl::internal {
namespace {

using ::absl_testing::IsOk;
using ::absl_testing::StatusIs;
using ::testing::AllOf;
using ::testing::HasSubstr;

class DialTest : public ::testing::Test {
 protected:
  const TemporaryDirectory directory_;
  const ServiceName name_ = *ServiceName::Parse("payments");
};

TEST_F(DialTest, NobodyListensNamesTheDirectoryAndTheVariable) {
  const auto expect_nobody = [&](const std::string& directory) {
    EXPECT_THAT(
        Dial(directory, name_),
        StatusIs(absl::StatusCode::kUnavailable,
                 AllOf(HasSubstr(absl::StrCat("nobody listens on \"payments\" in ", directory)),
                       HasSubstr("GRPC_CXL_DIR"))));
  };
  expect_nobody(directory_.path());
  expect_nobody(absl::StrCat(directory_.path(), "/missing"));
  std::ofstream(directory_.path() + "/payments.sock") << "no socket";
  expect_nobody(directory_.path());
}

TEST_F(DialTest, AListenerWhoseQueueIsFullIsBusy) {
  auto listener = NameListener::Listen(directory_.path(), name_);
  ASSERT_THAT(listener, IsOk());
  absl::StatusOr<UniqueFd> socket;
  // A connection waits in the queue even when its client has closed it.
  for (int i = 0; i < 1'000'000; ++i) {
    socket = Dial(directory_.path(), name_);
    if (!socket.ok()) break;
  }
  EXPECT_THAT(socket, StatusIs(absl::StatusCode::kResourceExhausted,
                               AllOf(HasSubstr("\"payments\""), HasSubstr(directory_.path()))));
  ASSERT_TRUE(*listener->Accept());
  EXPECT_THAT(Dial(directory_.path(), name_), IsOk());
}

TEST_F(DialTest, ADirectoryThatWeMayNotEnterIsDenied) {
  if (const std::string why = WhyNoOrdinaryUser(); !why.empty()) GTEST_SKIP() << why;
  const TemporaryDirectory closed("/tmp");
  auto listener = NameListener::Listen(closed.path(), name_);
  ASSERT_THAT(listener, IsOk());
  ASSERT_EQ(chmod(closed.path().c_str(), 0), 0);
  ForkedChild child(OrdinaryUser(), [&] { return Dial(closed.path(), name_).status().ToString(); });
  EXPECT_THAT(child.Join(),
              AllOf(HasSubstr("PERMISSION_DENIED"), HasSubstr("\"payments\""),
                    HasSubstr(closed.path()), HasSubstr(absl::StrCat("uid ", OrdinaryUser()))));
  ASSERT_EQ(chmod(closed.path().c_str(), 0700), 0);
}

}  // namespace
}  // namespace grpc_cxl::internal
