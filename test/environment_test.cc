// Proves that every environment variable has its effect on the options, that an empty one has
// none, and that nonsense is refused with a sentence that names the variable and its limits.
#include "grpc_cxl/environment.h"

#include <stdlib.h>

#include <optional>
#include <string>

#include "absl/status/status.h"
#include "absl/status/status_matchers.h"
#include "absl/strings/str_cat.h"
#include "absl/time/time.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace grpc_cxl::internal {
namespace {

using ::absl_testing::IsOk;
using ::absl_testing::StatusIs;
using ::testing::AllOf;
using ::testing::HasSubstr;

constexpr auto kInvalid = absl::StatusCode::kInvalidArgument;

class EnvironmentTest : public ::testing::Test {
 protected:
  EnvironmentTest() { Clear(); }
  ~EnvironmentTest() override { Clear(); }

  static void Clear() {
    for (const char* name :
         {"GRPC_CXL_DIR", "GRPC_CXL_SPIN_US", "GRPC_CXL_COHERENCE", "GRPC_CXL_PRESET",
          "GRPC_CXL_MEMORY", "GRPC_CXL_CHECK_FLUSHES", "GRPC_CXL_REGION", "GRPC_CXL_HOST",
          "GRPC_CXL_REGION_BYTES", "XDG_RUNTIME_DIR", "TMPDIR"}) {
      unsetenv(name);
    }
  }
  static void Set(const char* name, const std::string& value) { setenv(name, value.c_str(), 1); }

  static absl::StatusOr<ServerSettings> Resolve(const ServerOptions& options = {}) {
    return ResolveOptions(options);
  }
};

TEST_F(EnvironmentTest, WithoutVariablesTheOptionsStand) {
  ServerOptions options;
  options.rendezvous_directory = "/somewhere";
  options.wait_policy = WaitPolicy::kSpin;
  options.max_spin = absl::Microseconds(7);
  options.distance = {.load_ns = 10};
  options.allowed_uids = {1000};
  options.ring_bytes = 8192;
  options.payload_bytes = 4096;
  options.arena_bytes = 1 << 20;
  options.call_buffer_bytes = 8192;
  options.max_connections = 3;
  options.max_total_arena_bytes = 5 << 20;
  options.coherence = Coherence::kFlush;
  const absl::StatusOr<ServerSettings> settings = Resolve(options);
  ASSERT_THAT(settings, IsOk());
  EXPECT_EQ(settings->directory, DirectoryCandidates{.configured = "/somewhere"});
  EXPECT_EQ(settings->region, std::nullopt);
  EXPECT_TRUE(settings->users.Allows(1000));
  EXPECT_EQ(settings->wait_policy, WaitPolicy::kSpin);
  EXPECT_EQ(settings->max_spin, absl::Microseconds(7));
  EXPECT_EQ(settings->distance.load_ns, 10);
  EXPECT_EQ(settings->ring_bytes, 8192);
  EXPECT_EQ(settings->payload_bytes, 4096);
  EXPECT_EQ(settings->arena_bytes, 1 << 20);
  EXPECT_EQ(settings->call_buffer_bytes, 8192);
  EXPECT_EQ(settings->max_connections, 3);
  EXPECT_EQ(settings->max_total_arena_bytes, 5 << 20);
  EXPECT_EQ(settings->coherence, Coherence::kFlush);
  EXPECT_FALSE(settings->check_flushes);
  for (const bool direct : {false, true}) {
    ChannelOptions channel;
    channel.direct_calls = direct;
    EXPECT_EQ(ResolveOptions(channel)->direct_calls, direct);
  }
}

TEST_F(EnvironmentTest, EmptyIsUnset) {
  const absl::StatusOr<ServerSettings> unset = Resolve();
  for (const char* name : {"GRPC_CXL_DIR", "GRPC_CXL_SPIN_US", "GRPC_CXL_COHERENCE",
                           "GRPC_CXL_PRESET", "GRPC_CXL_MEMORY", "GRPC_CXL_CHECK_FLUSHES",
                           "GRPC_CXL_REGION", "GRPC_CXL_HOST", "GRPC_CXL_REGION_BYTES"}) {
    Set(name, "");
  }
  EXPECT_EQ(Resolve(), unset);
}

TEST_F(EnvironmentTest, InvalidOptionsStayInvalid) {
  ServerOptions options;
  options.ring_bytes = 1;
  EXPECT_THAT(Resolve(options), StatusIs(kInvalid, HasSubstr("ring_bytes")));
}

TEST_F(EnvironmentTest, Directories) {
  Set("GRPC_CXL_DIR", "/a");
  Set("XDG_RUNTIME_DIR", "/b");
  Set("TMPDIR", "/c");
  EXPECT_EQ(Resolve()->directory,
            (DirectoryCandidates{.variable = "/a", .runtime = "/b", .temporary = "/c"}));
}

TEST_F(EnvironmentTest, Spin) {
  for (const WaitPolicy policy : {WaitPolicy::kAdaptive, WaitPolicy::kSpin, WaitPolicy::kPark}) {
    ServerOptions options;
    options.wait_policy = policy;
    Set("GRPC_CXL_SPIN_US", "0");
    EXPECT_EQ(Resolve(options)->wait_policy, WaitPolicy::kPark);
    Set("GRPC_CXL_SPIN_US", "7");
    EXPECT_EQ(Resolve(options)->wait_policy,
              policy == WaitPolicy::kPark ? WaitPolicy::kAdaptive : policy);
    EXPECT_EQ(Resolve(options)->max_spin, absl::Microseconds(7));
    EXPECT_EQ(Resolve(options)->spin().nanoseconds(), 7000);
  }
  for (const char* text : {"fast", "-1", "1.5", "10us", "1000001", "99999999999999999999"}) {
    Set("GRPC_CXL_SPIN_US", text);
    EXPECT_THAT(
        Resolve(),
        StatusIs(kInvalid, AllOf(HasSubstr(absl::StrCat("GRPC_CXL_SPIN_US is \"", text, "\"")),
                                 HasSubstr("0 (sleep at once) to 1000000"))));
  }
}

TEST_F(EnvironmentTest, CoherenceAndDistance) {
  Set("GRPC_CXL_COHERENCE", "flush");
  EXPECT_EQ(Resolve()->coherence, Coherence::kFlush);
  Set("GRPC_CXL_COHERENCE", "coherent");
  ServerOptions options;
  options.coherence = Coherence::kFlush;
  EXPECT_EQ(Resolve(options)->coherence, Coherence::kCoherent);
  Set("GRPC_CXL_COHERENCE", "maybe");
  EXPECT_THAT(Resolve(), StatusIs(kInvalid, HasSubstr("GRPC_CXL_COHERENCE is \"maybe\"")));
  Clear();
  Set("GRPC_CXL_PRESET", "pool");
  Set("GRPC_CXL_MEMORY", "store_ns=100");
  EXPECT_EQ(Resolve()->distance.load_ns, 800);
  EXPECT_EQ(Resolve()->distance.store_ns, 100);
  Set("GRPC_CXL_PRESET", "moon");
  EXPECT_THAT(Resolve(), StatusIs(kInvalid, HasSubstr("GRPC_CXL_PRESET")));
  Set("GRPC_CXL_PRESET", "");
  Set("GRPC_CXL_MEMORY", "store=100");
  EXPECT_THAT(Resolve(), StatusIs(kInvalid, HasSubstr("GRPC_CXL_MEMORY")));
}

TEST_F(EnvironmentTest, CheckFlushes) {
  Set("GRPC_CXL_CHECK_FLUSHES", "1");
  EXPECT_TRUE(Resolve()->check_flushes);
  Set("GRPC_CXL_CHECK_FLUSHES", "yes");
  EXPECT_THAT(Resolve(), StatusIs(kInvalid, HasSubstr("must be 0 or 1")));
}

TEST_F(EnvironmentTest, Region) {
  Set("GRPC_CXL_REGION", "/dev/dax0.0");
  Set("GRPC_CXL_HOST", "3");
  Set("GRPC_CXL_REGION_BYTES", "1048576");
  const absl::StatusOr<ServerSettings> settings = Resolve();
  ASSERT_THAT(settings, IsOk());
  ASSERT_TRUE(settings->region.has_value());
  EXPECT_EQ(settings->region->path, "/dev/dax0.0");
  EXPECT_EQ(settings->region->host, 3);
  EXPECT_EQ(settings->region->bytes, 1 << 20);
  EXPECT_EQ(settings->region->model.coherence, Coherence::kFlush) << "a region's default";
  Set("GRPC_CXL_HOST", "left");
  EXPECT_THAT(Resolve(), StatusIs(kInvalid, HasSubstr("GRPC_CXL_HOST")));
  Set("GRPC_CXL_HOST", "3");
  Set("GRPC_CXL_REGION_BYTES", "1G");
  EXPECT_THAT(Resolve(), StatusIs(kInvalid, HasSubstr("GRPC_CXL_REGION_BYTES")));
}

}  // namespace
}  // namespace grpc_cxl::internal
