// SPDX-License-Identifier: Apache-2.0

// What `cxl_region show` prints of a region with a server and a client in it.

#include "grpc_cxl/tools/region_report.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <memory>
#include <string>
#include <utility>

#include "absl/log/check.h"
#include "absl/strings/str_cat.h"
#include "absl/synchronization/notification.h"
#include "absl/time/time.h"
#include "grpc_cxl/region/region_node.h"
#include "test/support/temporary_directory.h"

namespace grpc_cxl::internal {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;

TEST(RegionReportTest, NamesProcessesAndConnections) {
  const TemporaryDirectory directory;
  const std::string path = directory.path() + "/region";
  CHECK_OK(FormatRegion(path, {.hosts = 3, .bytes = 2 << 20}));
  const auto region = *Region::Open({.path = path, .host = Region::kObserver});
  EXPECT_THAT(RegionReport(region), AllOf(HasSubstr("3 hosts with"), Not(HasSubstr("host 0"))));

  const auto server = *RegionNode::Join({.path = path, .host = 0});
  const auto client = *RegionNode::Join({.path = path, .host = 2});
  absl::StatusOr<RegionOffer> theirs, mine;
  absl::Notification done;
  const uint64_t listener = *server->Listen("shop/payments", [&](const auto& request) {
    theirs = server->Accept(request, 64 << 10, {});
  });
  client->Connect("shop/payments", 0, [&](absl::StatusOr<RegionOffer> offer) {
    mine = std::move(offer);
    done.Notify();
  });
  ASSERT_TRUE(done.WaitForNotificationWithTimeout(absl::Seconds(30)));
  const std::string pid = absl::StrCat("pid ", getpid());
  EXPECT_THAT(RegionReport(region),
              AllOf(HasSubstr("host 0"), HasSubstr("host 2"), Not(HasSubstr("host 1")),
                    HasSubstr(absl::StrCat("serves    shop/payments (", pid, ")")),
                    HasSubstr(absl::StrCat("client    ", pid, ", to host 0, open")),
                    HasSubstr(absl::StrCat("server    ", pid, ", to host 2, open, 64 KiB")),
                    HasSubstr("alive"), Not(HasSubstr("silent")), HasSubstr("memory    64 of")));
  server->StopListening(listener);
}

}  // namespace
}  // namespace grpc_cxl::internal
