// SPDX-License-Identifier: Apache-2.0

// Proves to which replicas a client connects: to those that answer, however many entries of the
// directory are silent; often where that helps, and seldom where it does not. Time is the test's.

#include "grpc_cxl/event_engine/replica_places.h"

#include <chrono>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace grpc_cxl::internal {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using ::testing::AllOf;
using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::Not;
using ::testing::SizeIs;
using ::testing::UnorderedElementsAre;

const absl::Status kGone = absl::UnavailableError("no server listens");

class ReplicaPlacesTest : public ::testing::Test {
 protected:
  static std::vector<std::string> Names(int count) {
    std::vector<std::string> names;
    for (int i = 0; i < count; ++i) names.push_back(absl::StrCat("a=", i));
    return names;
  }
  std::vector<std::string> Take(const std::vector<std::string>& found) {
    return places_.Take(found, now_);
  }
  bool Hold(const std::string& name) { return places_.Hold(name, now_); }
  auto Failed(const std::string& name, const absl::Status& why = kGone) {
    return places_.Failed(name, why, now_) - now_;
  }

  ReplicaPlaces places_;
  ReplicaPlaces::Clock::time_point now_ = ReplicaPlaces::Clock::now();
};

TEST_F(ReplicaPlacesTest, EachHasOneConnection) {
  places_.Carry("a=0");
  EXPECT_THAT(Take({"a=0", "a=1", "a=2"}), UnorderedElementsAre("a=1", "a=2"));
  EXPECT_THAT(Take({"a=0", "a=1", "a=2"}), IsEmpty());
  EXPECT_FALSE(places_.next().has_value());
  EXPECT_TRUE(Hold("a=1"));
  places_.Carry("a=2");
  EXPECT_FALSE(Hold("a=2")) << "gRPC has one";
  places_.Carry("a=1");
  EXPECT_THAT(Take({"a=0", "a=1", "a=2"}), IsEmpty());
  places_.Leave("a=1");
  EXPECT_THAT(Take({"a=0", "a=1", "a=2"}), ElementsAre("a=1"));
  EXPECT_TRUE(places_.AnyCarried("a="));
  EXPECT_FALSE(places_.AnyCarried("b="));
  for (const char* name : {"a=0", "a=2"}) places_.Leave(name);
  EXPECT_FALSE(places_.AnyCarried("a="));
  places_.EndAll();
  EXPECT_FALSE(Hold("a=1")) << "it was given up";
}

TEST_F(ReplicaPlacesTest, ThereIsPlaceForSixteen) {
  places_.Carry("a=0");
  const std::vector<std::string> taken = Take(Names(20));
  ASSERT_THAT(taken, SizeIs(15));
  for (const std::string& name : taken) EXPECT_TRUE(Hold(name));
  now_ += ReplicaPlaces::kSlow;
  EXPECT_THAT(Take(Names(20)), IsEmpty());
  EXPECT_FALSE(places_.next().has_value());
  places_.Ended(taken[0], now_);
  EXPECT_THAT(Take(Names(20)), SizeIs(1)) << "another one: what has ended waits";
}

// Strangers' sockets, which nobody accepts from.
TEST_F(ReplicaPlacesTest, TheSilentKeepNoPlace) {
  places_.Carry("a=0");
  const auto start = now_;
  std::vector<std::string> all = Take(Names(100));
  while (all.size() < 99 && places_.next().has_value()) {
    ASSERT_GT(*places_.next(), now_);
    now_ = *places_.next();
    for (const std::string& name : Take(Names(100))) {
      EXPECT_THAT(all, Not(Contains(name)));
      all.push_back(name);
    }
  }
  EXPECT_THAT(all, SizeIs(99));
  EXPECT_LT(now_ - start, seconds(2));
  EXPECT_TRUE(Hold(all.front())) << "it was slow, and there is place";
  // A newcomer is not behind those that have failed.
  for (size_t i = 1; i < all.size(); ++i) Failed(all[i], absl::DeadlineExceededError("silent"));
  now_ += seconds(1);
  std::vector<std::string> with_newcomer = Names(99);
  with_newcomer.push_back("a=new");
  EXPECT_THAT(Take(with_newcomer), AllOf(SizeIs(14), Contains("a=new")));
}

TEST_F(ReplicaPlacesTest, OneThatDoesNotListenYetIsTriedAgainSoon) {
  Take({"a=1"});
  for (const int pause : {50, 100, 200, 400, 800, 1600, 3200, 6400, 12800, 16000, 16000}) {
    EXPECT_EQ(Failed("a=1"), milliseconds(pause));
    EXPECT_THAT(Take({"a=1"}), IsEmpty());
    now_ = places_.next().value();
    EXPECT_THAT(Take({"a=1"}), ElementsAre("a=1"));
  }
  Failed("a=1");
  places_.Renew();
  EXPECT_THAT(Take({"a=1"}), ElementsAre("a=1"));
  EXPECT_EQ(Failed("a=1"), milliseconds(50));
  // Its name has gone, and comes back.
  EXPECT_THAT(Take({}), IsEmpty());
  EXPECT_THAT(Take({"a=1"}), ElementsAre("a=1"));
}

TEST_F(ReplicaPlacesTest, OneWithoutDirectCallsIsAskedSeldom) {
  const absl::Status none = absl::FailedPreconditionError("its server has none");
  for (const int pause : {1, 2, 4, 8, 16, 32, 64, 128, 256, 256}) {
    Take({"a=1"});
    EXPECT_EQ(Failed("a=1", none), seconds(pause));
    now_ = places_.next().value_or(now_ + seconds(pause));
  }
}

TEST_F(ReplicaPlacesTest, OneThatEndsConnectionsAtOnceFails) {
  const auto pause = [this] { return places_.Ended("a=1", now_) - now_; };
  for (const int expected : {50, 100, 200}) {
    Take({"a=1"});
    ASSERT_TRUE(Hold("a=1"));
    EXPECT_EQ(pause(), milliseconds(expected));
    now_ += seconds(1);
  }
  Take({"a=1"});
  ASSERT_TRUE(Hold("a=1"));
  now_ += seconds(10);
  EXPECT_EQ(pause(), milliseconds(50));
}

}  // namespace
}  // namespace grpc_cxl::internal
