// SPDX-License-Identifier: Apache-2.0
// Proves that a GOAWAY comes between two writes, whole, never before the first, and again later.
#include <memory>
#include <string>
#include <utility>

#include "absl/status/status_matchers.h"
#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "grpc_cxl/endpoint/endpoint.h"
#include "grpc_cxl/endpoint/endpoint_core.h"
#include "gtest/gtest.h"
#include "test/endpoint/endpoint_pair.h"
#include "test/link/link_pair.h"
#include "test/support/eventually.h"

namespace grpc_cxl::internal {
namespace {

using ::absl_testing::IsOk;
using ::absl_testing::IsOkAndHolds;

const std::string kGoaway("\0\0\x08\x07\0\0\0\0\0\x7f\xff\xff\xff\0\0\0\0", 17);
constexpr size_t kRing = 4096;

class GoawayTest : public ::testing::Test {
 protected:
  LinkPair link_{kRing, 0};
  const std::shared_ptr<EndpointCore> core_ = std::make_shared<EndpointCore>(
      std::move(link_.server), WaitTerms{},
      grpc_event_engine::experimental::GetDefaultEventEngine(), true);
  std::unique_ptr<EventEngine::Endpoint> server_ =
      std::make_unique<Endpoint>(core_, TestWatchdog()->Assign(), EventEngine::ResolvedAddress(),
                                 EventEngine::ResolvedAddress());
  const std::unique_ptr<EventEngine::Endpoint> client_ = MakeEndpoint(std::move(link_.client));
};

TEST_F(GoawayTest, FollowsTheFirstWrite) {
  core_->SendGoaway();
  ASSERT_THAT(WriteAll(*server_, "settings"), IsOk());
  EXPECT_THAT(ReadExactly(*client_, 8 + kGoaway.size()), IsOkAndHolds("settings" + kGoaway));
  ASSERT_THAT(WriteAll(*server_, "more"), IsOk());
  EXPECT_THAT(ReadExactly(*client_, 4), IsOkAndHolds("more"));
}

TEST_F(GoawayTest, WaitsForTheEndOfAWriteThatWaitsForSpace) {
  ASSERT_THAT(WriteAll(*server_, "settings"), IsOk());
  EXPECT_THAT(ReadExactly(*client_, 8), IsOkAndHolds("settings"));
  const std::string large(3 * kRing, 'x');
  SliceBuffer data;
  Append(data, large);
  Outcome written;
  ASSERT_FALSE(server_->Write(written.Callback(), &data, {}));
  core_->SendGoaway();
  EXPECT_THAT(ReadExactly(*client_, large.size() + kGoaway.size()), IsOkAndHolds(large + kGoaway));
  EXPECT_THAT(written.Wait(), IsOk());
}

TEST_F(GoawayTest, IsRepeatedUntilTheClientHasGone) {
  ASSERT_THAT(WriteAll(*server_, "settings"), IsOk());
  const absl::Time begin = absl::Now();
  std::string all;
  EXPECT_TRUE(Eventually([&] {
    core_->SendGoaway();
    return absl::Now() - begin > absl::Milliseconds(35);
  }));
  // After 0, 10 and 30 ms, or later where this thread was not running.
  const absl::StatusOr<std::string> read = ReadOnce(*client_);
  ASSERT_THAT(read, IsOk());
  EXPECT_EQ(read->substr(0, 8 + 2 * kGoaway.size()), "settings" + kGoaway + kGoaway);
  EXPECT_LE(read->size(), 8 + 3 * kGoaway.size());
  EXPECT_FALSE(core_->IsOver());
  server_.reset();
  EXPECT_TRUE(Eventually([&] { return core_->IsOver(); }));
  core_->SendGoaway();  // does nothing
}

}  // namespace
}  // namespace grpc_cxl::internal
