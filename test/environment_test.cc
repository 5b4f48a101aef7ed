// SPDX-License-Identifier: Apache-2.0
// Proves that every environment variable has its effect on the options, that an empty one has
// none, and that nonsense is refused with a sentence that names the variable and its limits.
#include "grpc_cxl/environment.h"

#include <stdlib.h>
#include <sys/stat.h>

#include <fstream>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/status_matchers.h"
#include "absl/strings/str_cat.h"
#include "absl/time/time.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace grpc_cxl::internal {
namespace {

using ::absl_testing::IsOk;
using ::absl_testing::IsOkAndHolds;
using ::absl_testing::StatusIs;
using ::testing::AllOf;
using ::testing::HasSubstr;

constexpr const char* kVariables[] = {"GRPC_CXL_DIR",
                                      "GRPC_CXL_TRUSTED_DIR",
                                      "GRPC_CXL_ALLOWED_UIDS",
                                      "GRPC_CXL_ALLOWED_GROUPS",
                                      "GRPC_CXL_ALSO_KNOWN_AS",
                                      "GRPC_CXL_SECRET_FILE",
                                      "GRPC_CXL_SPIN_US",
                                      "GRPC_CXL_COHERENCE",
                                      "GRPC_CXL_PRESET",
                                      "GRPC_CXL_MEMORY",
                                      "GRPC_CXL_CHECK_FLUSHES",
                                      "GRPC_CXL_REGION",
                                      "GRPC_CXL_ROLLOUT",
                                      "GRPC_CXL_HOST",
                                      "GRPC_CXL_REGION_BYTES",
                                      "GRPC_CXL_POLLING_THREADS",
                                      "GRPC_CXL_TAKE_OVER",
                                      "GRPC_CXL_INLINE_CALLS",
                                      "GRPC_CXL_STATUS",
                                      "GRPC_CXL_LOG",
                                      "GRPC_CXL_DIRECT_STREAMS",
                                      "XDG_RUNTIME_DIR",
                                      "TMPDIR"};

// With these variables and no others.
template <typename Options = ServerOptions>
auto Resolve(const std::map<std::string, std::string>& variables, const Options& options = {}) {
  for (const char* name : kVariables) unsetenv(name);
  for (const auto& [name, value] : variables) setenv(name.c_str(), value.c_str(), 1);
  return ResolveOptions(options);
}

TEST(EnvironmentTest, WithoutVariablesTheOptionsStand) {
  ServerOptions options;
  options.rendezvous_directory = "/somewhere";
  options.wait_policy = WaitPolicy::kSpin;
  options.max_spin = absl::Microseconds(7);
  options.latency_weight = 3;
  options.idle_spin = absl::Milliseconds(4);
  options.distance = {.load_ns = 10};
  options.allowed_uids = {1000};
  options.ring_bytes = 8192;
  options.payload_bytes = 4096;
  options.arena_bytes = 1 << 20;
  options.call_buffer_bytes = 8192;
  options.max_connections = 3;
  options.max_total_arena_bytes = 5 << 20;
  options.coherence = Coherence::kFlush;
  const absl::StatusOr<ServerSettings> settings = Resolve({}, options);
  ASSERT_THAT(settings, IsOk());
  EXPECT_EQ(settings->directory, DirectoryCandidates{.configured = "/somewhere"});
  EXPECT_EQ(settings->region, std::nullopt);
  EXPECT_TRUE(settings->users.Allows(1000));
  EXPECT_EQ(settings->wait(),
            (WaitTerms{WaitPolicy::kSpin, absl::Microseconds(7), 3, absl::Milliseconds(4)}));
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
  options.ring_bytes = 1;
  EXPECT_THAT(Resolve({}, options),
              StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("ring_bytes")));
}

TEST(EnvironmentTest, EmptyIsUnset) {
  std::map<std::string, std::string> empty;
  for (const char* name : kVariables) empty[name] = "";
  EXPECT_EQ(Resolve(empty), Resolve({}));
}

TEST(EnvironmentTest, Directories) {
  EXPECT_EQ(
      Resolve({{"GRPC_CXL_DIR", "/a"}, {"XDG_RUNTIME_DIR", "/b"}, {"TMPDIR", "/c"}})->directory,
      (DirectoryCandidates{.variable = "/a", .runtime = "/b", .temporary = "/c"}));
}

TEST(EnvironmentTest, TrustedDirectory) {
  const absl::StatusOr<ServerSettings> variable = Resolve({{"GRPC_CXL_TRUSTED_DIR", "/a"}});
  ASSERT_THAT(variable, IsOk());
  EXPECT_EQ(variable->directory.trusted, "/a");
  EXPECT_TRUE(variable->users.Allows(4711));
  ServerOptions options;
  options.trusted_directory = "/b";
  EXPECT_EQ(Resolve({{"GRPC_CXL_TRUSTED_DIR", "/a"}}, options)->directory.trusted, "/b");
  options.rendezvous_directory = "/c";
  EXPECT_THAT(Resolve({}, options),
              StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("trusted_directory")));
  options.trusted_directory = "";
  const absl::StatusOr<ServerSettings> other = Resolve({{"GRPC_CXL_TRUSTED_DIR", "/a"}}, options);
  EXPECT_EQ(other->directory.trusted, "");
  EXPECT_FALSE(other->users.Allows(4711));
}

TEST(EnvironmentTest, AllowedUids) {
  ServerOptions options;
  options.allowed_uids = {1000};
  const absl::StatusOr<ServerSettings> settings =
      Resolve({{"GRPC_CXL_ALLOWED_UIDS", "1001,1002"}}, options);
  ASSERT_THAT(settings, IsOk());
  for (const uid_t uid : {1000, 1001, 1002}) EXPECT_TRUE(settings->users.Allows(uid)) << uid;
  EXPECT_FALSE(settings->users.Allows(1003));
  EXPECT_TRUE(ResolveOptions(ChannelOptions())->users.Allows(1001));
}

TEST(EnvironmentTest, AllowedGroups) {
  ServerOptions options;
  options.allowed_gids = {2000};
  EXPECT_EQ(Resolve({{"GRPC_CXL_ALLOWED_GROUPS", "2001"}}, options)->users.allowed_gids,
            (std::vector<gid_t>{2000, 2001}));
  options.trusted_directory = "/a";  // then for these groups alone
  EXPECT_FALSE(Resolve({}, options)->users.everybody);
}

TEST(EnvironmentTest, SecretFile) {
  const std::string a = ::testing::TempDir() + "/a", b = ::testing::TempDir() + "/b";
  std::ofstream(a) << "the secret in the options";
  std::ofstream(b) << "the secret in the variable";
  for (const std::string& path : {a, b}) chmod(path.c_str(), 0600);
  ServerOptions options;
  options.secret_file = a;
  EXPECT_EQ(Resolve({{"GRPC_CXL_SECRET_FILE", b}}, options)->users.secret, *SharedSecret::Read(a));
  EXPECT_EQ(Resolve({{"GRPC_CXL_SECRET_FILE", b}})->users.secret, *SharedSecret::Read(b));
  EXPECT_THAT(Resolve({{"GRPC_CXL_SECRET_FILE", "/missing"}}),
              StatusIs(absl::StatusCode::kNotFound, HasSubstr("/missing")));
  EXPECT_THAT(Resolve({{"GRPC_CXL_REGION", "/region"}, {"GRPC_CXL_HOST", "0"}}, options),
              StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("GRPC_CXL_SECRET_FILE")));
}

TEST(EnvironmentTest, ARegionHasNoReplicas) {
  ServerOptions options;
  options.replicas = true;
  EXPECT_TRUE(Resolve({}, options)->replicas);
  EXPECT_THAT(Resolve({{"GRPC_CXL_REGION", "/region"}, {"GRPC_CXL_HOST", "0"}}, options),
              StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("replicas")));
}

TEST(EnvironmentTest, Spin) {
  for (const WaitPolicy policy : {WaitPolicy::kAdaptive, WaitPolicy::kSpin, WaitPolicy::kPark}) {
    ServerOptions options;
    options.wait_policy = policy;
    EXPECT_EQ(Resolve({{"GRPC_CXL_SPIN_US", "0"}}, options)->wait_policy, WaitPolicy::kPark);
    const absl::StatusOr<ServerSettings> seven = Resolve({{"GRPC_CXL_SPIN_US", "7"}}, options);
    EXPECT_EQ(seven->wait_policy, policy == WaitPolicy::kPark ? WaitPolicy::kAdaptive : policy);
    EXPECT_EQ(seven->max_spin, absl::Microseconds(7));
  }
}

TEST(EnvironmentTest, Memory) {
  ServerOptions flush;
  flush.coherence = Coherence::kFlush;
  EXPECT_EQ(Resolve({{"GRPC_CXL_COHERENCE", "flush"}})->coherence, Coherence::kFlush);
  EXPECT_EQ(Resolve({{"GRPC_CXL_COHERENCE", "coherent"}}, flush)->coherence, Coherence::kCoherent);
  const absl::StatusOr<ServerSettings> far =
      Resolve({{"GRPC_CXL_PRESET", "pool"}, {"GRPC_CXL_MEMORY", "store_ns=100"}});
  EXPECT_EQ(far->distance.load_ns, 800);
  EXPECT_EQ(far->distance.store_ns, 100);
  EXPECT_TRUE(Resolve({{"GRPC_CXL_CHECK_FLUSHES", "1"}})->check_flushes);
  EXPECT_FALSE(Resolve({{"GRPC_CXL_CHECK_FLUSHES", "0"}})->check_flushes);
}

TEST(EnvironmentTest, TakeOver) {
  ServerOptions takes;
  takes.take_over = true;
  EXPECT_TRUE(Resolve({{"GRPC_CXL_TAKE_OVER", "1"}})->take_over);
  EXPECT_FALSE(Resolve({{"GRPC_CXL_TAKE_OVER", "0"}})->take_over);
  EXPECT_TRUE(Resolve({}, takes)->take_over);
  EXPECT_FALSE(Resolve({{"GRPC_CXL_TAKE_OVER", "yes"}}).ok());
}

TEST(EnvironmentTest, InlineCalls) {
  ChannelOptions runs;
  runs.inline_calls = true;
  EXPECT_FALSE(Resolve({}, ChannelOptions())->inline_calls);
  EXPECT_TRUE(Resolve({}, runs)->inline_calls);
  EXPECT_TRUE(Resolve({{"GRPC_CXL_INLINE_CALLS", "1"}}, ChannelOptions())->inline_calls);
  EXPECT_FALSE(Resolve({{"GRPC_CXL_INLINE_CALLS", "yes"}}, ChannelOptions()).ok());
}

TEST(EnvironmentTest, DirectStreams) {
  ServerOptions server;
  ChannelOptions channel;
  EXPECT_TRUE(Resolve({}, server)->direct_streams);
  EXPECT_TRUE(Resolve({{"GRPC_CXL_DIRECT_STREAMS", "1"}}, channel)->direct_streams);
  EXPECT_FALSE(Resolve({{"GRPC_CXL_DIRECT_STREAMS", "0"}}, server)->direct_streams);
  EXPECT_FALSE(Resolve({{"GRPC_CXL_DIRECT_STREAMS", "0"}}, channel)->direct_streams);
  EXPECT_FALSE(Resolve({{"GRPC_CXL_DIRECT_STREAMS", "no"}}, channel).ok());
  server.direct_streams = channel.direct_streams = false;
  EXPECT_FALSE(Resolve({{"GRPC_CXL_DIRECT_STREAMS", "1"}}, server)->direct_streams);
  EXPECT_FALSE(Resolve({}, channel)->direct_streams);
  channel = {};
  channel.direct_calls = false;
  EXPECT_FALSE(Resolve({}, channel)->direct_streams);
}

TEST(EnvironmentTest, Region) {
  const absl::StatusOr<ServerSettings> settings = Resolve({{"GRPC_CXL_REGION", "/dev/dax0.0"},
                                                           {"GRPC_CXL_HOST", "3"},
                                                           {"GRPC_CXL_REGION_BYTES", "1048576"}});
  ASSERT_THAT(settings, IsOk());
  ASSERT_TRUE(settings->region.has_value());
  EXPECT_EQ(settings->region->path, "/dev/dax0.0");
  EXPECT_EQ(settings->region->host, 3);
  EXPECT_EQ(settings->region->bytes, 1 << 20);
  EXPECT_EQ(settings->region->model.coherence, Coherence::kFlush) << "a region's default";
}

TEST(EnvironmentTest, PollingThreads) {
  ASSERT_THAT(Resolve({{"GRPC_CXL_POLLING_THREADS", "64"}}), IsOk());
  EXPECT_THAT(Environment::Read().PollingThreads(3), IsOkAndHolds(64));
  ASSERT_THAT(Resolve({}), IsOk());
  EXPECT_THAT(Environment::Read().PollingThreads(3), IsOkAndHolds(3));
}

TEST(EnvironmentTest, Rollout) {
  EXPECT_EQ(Resolve({{"GRPC_CXL_ROLLOUT", "7d4b9c6f5"}})->directory.rollout, "7d4b9c6f5");
  ServerOptions options;
  options.rollout = "green";
  EXPECT_EQ(Resolve({{"GRPC_CXL_ROLLOUT", "blue"}}, options)->directory.rollout, "green");
}

TEST(EnvironmentTest, Log) {
  EXPECT_FALSE(Resolve({})->log_connections);
  EXPECT_TRUE(Resolve({{"GRPC_CXL_LOG", "debug"}})->log_connections);
}

TEST(EnvironmentTest, StatusPage) {
  EXPECT_TRUE(Resolve({})->status_page);
  EXPECT_FALSE(Resolve({{"GRPC_CXL_STATUS", "off"}})->status_page);
  ServerOptions options;
  options.status_page = false;
  EXPECT_FALSE(Resolve({}, options)->status_page);
  EXPECT_TRUE(Resolve({{"GRPC_CXL_STATUS", "on"}}, options)->status_page);
}

TEST(EnvironmentTest, NonsenseIsRefusedWithTheLimits) {
  const char* const kSpin = "0 (sleep at once) to 1000000";
  const struct {
    const char* name;
    const char* value;
    const char* limits;
  } kCases[] = {
      {"GRPC_CXL_SPIN_US", "fast", kSpin},
      {"GRPC_CXL_SPIN_US", "-1", kSpin},
      {"GRPC_CXL_SPIN_US", "1.5", kSpin},
      {"GRPC_CXL_SPIN_US", "10us", kSpin},
      {"GRPC_CXL_SPIN_US", "1000001", kSpin},
      {"GRPC_CXL_SPIN_US", "99999999999999999999", kSpin},
      {"GRPC_CXL_ALLOWED_UIDS", "daemon", "numbers of users with commas"},
      {"GRPC_CXL_ALLOWED_UIDS", "1000,", "numbers of users with commas"},
      {"GRPC_CXL_ALLOWED_UIDS", "4294967295", "numbers of users with commas"},
      {"GRPC_CXL_COHERENCE", "maybe", "must be coherent or flush"},
      {"GRPC_CXL_CHECK_FLUSHES", "yes", "must be 0 or 1"},
      {"GRPC_CXL_ALSO_KNOWN_AS", "payments:1,no port", "no host and port"},
      {"GRPC_CXL_HOST", "left", "0, 1, ..."},
      {"GRPC_CXL_HOST", "", "0, 1, ..."},
      {"GRPC_CXL_ROLLOUT", "a hash", "1 to 12 characters"},
      {"GRPC_CXL_ROLLOUT", "0123456789abc", "shorten a hash"},
      {"GRPC_CXL_POLLING_THREADS", "0", "from 1 to 64"},
      {"GRPC_CXL_POLLING_THREADS", "65", "from 1 to 64"},
      {"GRPC_CXL_POLLING_THREADS", "all", "from 1 to 64"},
      {"GRPC_CXL_REGION_BYTES", "1G", "a number of bytes"},
      {"GRPC_CXL_STATUS", "no", "must be on or off"},
      {"GRPC_CXL_LOG", "loud", "must be debug"},
  };
  for (const auto& c : kCases) {
    EXPECT_THAT(
        Resolve({{c.name, c.value}, {"GRPC_CXL_REGION", "/dev/dax0.0"}, {"GRPC_CXL_HOST", "1"}}),
        StatusIs(
            absl::StatusCode::kInvalidArgument,
            AllOf(HasSubstr(absl::StrCat(c.name, " is \"", c.value, "\"")), HasSubstr(c.limits))));
  }
  // Which presets and distances there are: test/coherence/memory_model_test.cc.
  for (const char* name : {"GRPC_CXL_PRESET", "GRPC_CXL_MEMORY"}) {
    EXPECT_THAT(Resolve({{name, "moon"}}),
                StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr(name)));
  }
}

}  // namespace
}  // namespace grpc_cxl::internal
