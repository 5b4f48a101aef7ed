// SPDX-License-Identifier: Apache-2.0

// Proves what the environment and the presets mean, and that what they cannot mean is said so.

#include "grpc_cxl/coherence/memory_model.h"

#include <cstdlib>
#include <optional>
#include <string>

#include "absl/status/status_matchers.h"
#include "gmock/gmock.h"
#include "grpc_cxl/coherence/private_copy.h"
#include "gtest/gtest.h"

namespace grpc_cxl::internal {
namespace {

using ::absl_testing::IsOkAndHolds;
using ::absl_testing::StatusIs;
using ::testing::HasSubstr;

constexpr auto kInvalid = absl::StatusCode::kInvalidArgument;

TEST(MemoryModelTest, Presets) {
  EXPECT_THAT(DistancePreset("local"), IsOkAndHolds(MemoryDistance{}));
  EXPECT_TRUE(DistancePreset("local")->none());
  uint32_t last = 0;
  for (const auto& [name, ns] : {std::pair("expander", 250), {"switch", 400}, {"pool", 800}}) {
    const absl::StatusOr<MemoryDistance> distance = DistancePreset(name);
    ASSERT_TRUE(distance.ok()) << name;
    EXPECT_EQ(distance->load_ns, ns);
    EXPECT_EQ(distance->store_ns, ns);
    EXPECT_GT(distance->gbps, 0);
    EXPECT_EQ(distance->snoop_ns, std::string(name) == "expander" ? 0 : ns - 100);
    EXPECT_GT(distance->load_ns, last);
    last = distance->load_ns;
  }
  EXPECT_THAT(DistancePreset("moon"),
              StatusIs(kInvalid, HasSubstr("none of local, expander, fast_expander,")));
}

TEST(MemoryModelTest, DistancesInWords) {
  EXPECT_THAT(ParseDistance(""), IsOkAndHolds(MemoryDistance{}));
  EXPECT_THAT(ParseDistance("load_ns=1,store_ns=2,gbps=0.5"),
              IsOkAndHolds(MemoryDistance{.load_ns = 1, .store_ns = 2, .gbps = 0.5}));
  EXPECT_THAT(ParseDistance("lines_in_flight=12,tail_ns=5"),
              IsOkAndHolds(MemoryDistance{.lines_in_flight = 12, .tail_ns = 5}));
  EXPECT_THAT(ParseDistance("snoop_ns=3"), IsOkAndHolds(MemoryDistance{.snoop_ns = 3}));
  EXPECT_FALSE((MemoryDistance{.snoop_ns = 3}).none());
  EXPECT_THAT(ParseDistance("snoop_ns=1000001"), StatusIs(kInvalid, HasSubstr("at most 1000000")));
  EXPECT_THAT(ParseDistance("tail_ns=1000001"), StatusIs(kInvalid, HasSubstr("at most 1000000")));
  for (const char* wrong : {"lines_in_flight=0", "lines_in_flight=1025"}) {
    EXPECT_THAT(ParseDistance(wrong), StatusIs(kInvalid, HasSubstr("1 to 1024"))) << wrong;
  }
  EXPECT_EQ(DistancePreset("fast_expander")->load_ns, 140);
  EXPECT_EQ(DistancePreset("slow_expander")->load_ns, 410);
  EXPECT_EQ(DistancePreset("tailed_expander")->tail_ns, 1000);
  EXPECT_THAT(ParseDistance("gbps=10"), IsOkAndHolds(MemoryDistance{.gbps = 10}));
  EXPECT_THAT(ParseDistance("gbps=10", {.load_ns = 7}),
              IsOkAndHolds(MemoryDistance{.load_ns = 7, .gbps = 10}));
  for (const char* wrong : {"load_ns", "load_ns=", "load_ns=-1", "load_ns=1.5", "far=1", "400",
                            "load_ns=1;store_ns=1", "gbps=fast"}) {
    EXPECT_THAT(ParseDistance(wrong), StatusIs(kInvalid, HasSubstr("is no distance of memory")))
        << wrong;
  }
  EXPECT_THAT(ParseDistance("load_ns=1000001"), StatusIs(kInvalid, HasSubstr("at most 1000000")));
  for (const char* wrong : {"gbps=-1", "gbps=0.001", "gbps=inf", "gbps=nan"}) {
    EXPECT_THAT(ParseDistance(wrong), StatusIs(kInvalid, HasSubstr("GB/s"))) << wrong;
  }
}

TEST(MemoryModelTest, TheCheckerIsForFlushModeAndForTestsThatLinkIt) {
  EXPECT_FALSE(MakeMemoryModel(Coherence::kCoherent, {}, true)->private_copy);
  EXPECT_FALSE(MakeMemoryModel(Coherence::kFlush, {}, false)->private_copy);
  EXPECT_THAT(MakeMemoryModel(Coherence::kFlush, {}, true),
              StatusIs(absl::StatusCode::kFailedPrecondition, HasSubstr("GRPC_CXL_CHECK_FLUSHES")));
  PrivateCopy::SetFactory(
      [](absl::Span<char>, std::optional<uint32_t>) { return std::unique_ptr<PrivateCopy>(); });
  EXPECT_TRUE(MakeMemoryModel(Coherence::kFlush, {}, true)->private_copy);
}

}  // namespace
}  // namespace grpc_cxl::internal
