// Proves what the environment and the presets mean, and that what they cannot mean is said so.

#include "grpc_cxl/coherence/memory_model.h"

#include <cstdlib>
#include <string>

#include "absl/status/status_matchers.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace grpc_cxl::internal {
namespace {

using ::absl_testing::IsOkAndHolds;
using ::absl_testing::StatusIs;
using ::testing::HasSubstr;

constexpr auto kInvalid = absl::StatusCode::kInvalidArgument;

class MemoryModelTest : public ::testing::Test {
 protected:
  MemoryModelTest() { Clear(); }
  ~MemoryModelTest() override { Clear(); }
  static void Clear() {
    for (const char* name :
         {"GRPC_CXL_COHERENCE", "GRPC_CXL_PRESET", "GRPC_CXL_MEMORY", "GRPC_CXL_CHECK_FLUSHES"}) {
      unsetenv(name);
    }
  }
};

TEST_F(MemoryModelTest, Presets) {
  EXPECT_THAT(DistancePreset("local"), IsOkAndHolds(MemoryDistance{}));
  EXPECT_TRUE(DistancePreset("local")->none());
  uint32_t last = 0;
  for (const auto& [name, ns] : {std::pair("expander", 250), {"switch", 400}, {"pool", 800}}) {
    const absl::StatusOr<MemoryDistance> distance = DistancePreset(name);
    ASSERT_TRUE(distance.ok()) << name;
    EXPECT_EQ(distance->load_ns, ns);
    EXPECT_EQ(distance->store_ns, ns);
    EXPECT_GT(distance->gbps, 0);
    EXPECT_GT(distance->load_ns, last);
    last = distance->load_ns;
  }
  EXPECT_THAT(DistancePreset("moon"),
              StatusIs(kInvalid, HasSubstr("none of local, expander, switch and pool")));
}

TEST_F(MemoryModelTest, DistancesInWords) {
  EXPECT_THAT(ParseDistance(""), IsOkAndHolds(MemoryDistance{}));
  EXPECT_THAT(ParseDistance("load_ns=1,store_ns=2,gbps=0.5"),
              IsOkAndHolds(MemoryDistance{.load_ns = 1, .store_ns = 2, .gbps = 0.5}));
  EXPECT_THAT(ParseDistance("gbps=10"), IsOkAndHolds(MemoryDistance{.gbps = 10}));
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

TEST_F(MemoryModelTest, TheEnvironmentReplacesTheOptions) {
  EXPECT_THAT(CoherenceFromEnvironment(Coherence::kFlush), IsOkAndHolds(Coherence::kFlush));
  setenv("GRPC_CXL_COHERENCE", "coherent", 1);
  EXPECT_THAT(CoherenceFromEnvironment(Coherence::kFlush), IsOkAndHolds(Coherence::kCoherent));
  setenv("GRPC_CXL_COHERENCE", "flush", 1);
  EXPECT_THAT(CoherenceFromEnvironment(Coherence::kCoherent), IsOkAndHolds(Coherence::kFlush));
  setenv("GRPC_CXL_COHERENCE", "maybe", 1);
  EXPECT_THAT(CoherenceFromEnvironment(Coherence::kCoherent),
              StatusIs(kInvalid, HasSubstr("GRPC_CXL_COHERENCE is \"maybe\"")));

  const MemoryDistance near{.load_ns = 10};
  EXPECT_THAT(MemoryModelFromEnvironment(Coherence::kCoherent, near),
              IsOkAndHolds(MemoryModel{.distance = near}));
  setenv("GRPC_CXL_PRESET", "pool", 1);
  setenv("GRPC_CXL_MEMORY", "store_ns=100", 1);
  const absl::StatusOr<MemoryModel> model = MemoryModelFromEnvironment(Coherence::kFlush, near);
  ASSERT_TRUE(model.ok());
  EXPECT_EQ(model->coherence, Coherence::kFlush);
  EXPECT_EQ(model->distance.load_ns, 800);
  EXPECT_EQ(model->distance.store_ns, 100);
  setenv("GRPC_CXL_PRESET", "moon", 1);
  EXPECT_THAT(MemoryModelFromEnvironment(Coherence::kFlush, near),
              StatusIs(kInvalid, HasSubstr("GRPC_CXL_PRESET")));
  unsetenv("GRPC_CXL_PRESET");
  setenv("GRPC_CXL_MEMORY", "store=100", 1);
  EXPECT_THAT(MemoryModelFromEnvironment(Coherence::kFlush, near),
              StatusIs(kInvalid, HasSubstr("GRPC_CXL_MEMORY")));
}

TEST_F(MemoryModelTest, TheCheckerIsForFlushModeOnly) {
  setenv("GRPC_CXL_CHECK_FLUSHES", "1", 1);
  EXPECT_TRUE(MemoryModelFromEnvironment(Coherence::kFlush, {})->private_copy);
  EXPECT_FALSE(MemoryModelFromEnvironment(Coherence::kCoherent, {})->private_copy);
  setenv("GRPC_CXL_CHECK_FLUSHES", "yes", 1);
  EXPECT_THAT(MemoryModelFromEnvironment(Coherence::kFlush, {}),
              StatusIs(kInvalid, HasSubstr("must be 0 or 1")));
}

}  // namespace
}  // namespace grpc_cxl::internal
