// Proves that the defaults are valid, that the limits in options.h are the limits, and that
// a value outside of them is refused with a sentence that names field, value and limits.
#include "grpc_cxl/options.h"

#include <cstddef>
#include <functional>
#include <limits>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/status_matchers.h"
#include "absl/time/time.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace grpc_cxl::internal {
namespace {

using ::absl_testing::IsOk;
using ::absl_testing::StatusIs;
using ::testing::AllOf;
using ::testing::HasSubstr;

constexpr size_t kKiB = 1024;
constexpr size_t kGiB = kKiB * kKiB * kKiB;

ServerOptions With(const std::function<void(ServerOptions&)>& change) {
  ServerOptions options;
  change(options);
  return options;
}

TEST(OptionsTest, DefaultsAreValid) {
  EXPECT_THAT(Validate(EndpointOptions()), IsOk());
  EXPECT_THAT(Validate(ChannelOptions()), IsOk());
  EXPECT_THAT(Validate(ServerOptions()), IsOk());
}

TEST(OptionsTest, TheLimitsThemselvesAreValid) {
  const ServerOptions kValid[] = {
      With([](auto& o) { o.max_spin = absl::ZeroDuration(); }),
      With([](auto& o) { o.max_spin = absl::Seconds(1); }),
      With([](auto& o) { o.wait_policy = WaitPolicy::kSpin; }),
      With([](auto& o) { o.wait_policy = WaitPolicy::kPark; }),
      With([](auto& o) {
        o.allowed_uids = {0, 1, 65534, 4294967294};
      }),
      With([](auto& o) { o.ring_bytes = 4 * kKiB; }),
      With([](auto& o) { o.ring_bytes = kGiB; }),
      With([](auto& o) { o.arena_bytes = 20 * kKiB + 2 * (o.ring_bytes + o.payload_bytes); }),
      With([](auto& o) { o.payload_bytes = 0; }),
      With([](auto& o) { o.payload_bytes = kGiB; }),
      With([](auto& o) { o.max_connections = 1; }),
      With([](auto& o) {
        o.max_total_arena_bytes = 20 * kKiB + 2 * (o.ring_bytes + o.payload_bytes);
      }),
      With([](auto& o) { o.backing.kind = ArenaBacking::Kind::kMemfdHuge; }),
      With([](auto& o) { o.coherence = Coherence::kFlush; }),
      With([](auto& o) {
        o.distance = {.load_ns = 1'000'000, .store_ns = 1'000'000, .gbps = 0.01};
      }),
      With([](auto& o) {
        o.backing = {ArenaBacking::Kind::kDirectory, "/dev/shm"};
      }),
  };
  for (const ServerOptions& options : kValid) EXPECT_THAT(Validate(options), IsOk());
}

TEST(OptionsTest, WhatIsOutsideIsNamed) {
  const struct {
    ServerOptions options;
    std::string field;
    std::string value;
    std::string limits;
  } kInvalid[] = {
      {With([](auto& o) { o.max_spin = absl::Nanoseconds(-1); }), "max_spin", "-1ns",
       "from 0 to 1s"},
      {With([](auto& o) { o.max_spin = absl::Milliseconds(1001); }), "max_spin", "1.001s", "1s"},
      {With([](auto& o) { o.max_spin = absl::InfiniteDuration(); }), "max_spin", "inf", "1s"},
      {With([](auto& o) { o.wait_policy = static_cast<WaitPolicy>(17); }), "wait_policy", "17",
       "kAdaptive, kSpin or kPark"},
      {With([](auto& o) {
         o.allowed_uids = {5, static_cast<uid_t>(-1)};
       }),
       "allowed_uids", "4294967295", "none"},
      {With([](auto& o) { o.ring_bytes = 0; }), "ring_bytes", "0", "4096 to 1073741824"},
      {With([](auto& o) { o.ring_bytes = 2 * kKiB; }), "ring_bytes", "2048", "4096 to 1073741824"},
      {With([](auto& o) { o.ring_bytes = 5000; }), "ring_bytes", "5000", "power of two"},
      {With([](auto& o) { o.ring_bytes = 2 * kGiB; }), "ring_bytes", "2147483648", "power of two"},
      {With([](auto& o) { o.arena_bytes = 9457663; }), "arena_bytes", "9457663",
       "at least 9457664"},
      {With([](auto& o) { o.payload_bytes = 4095; }), "payload_bytes", "4095", "multiple of 4096"},
      {With([](auto& o) { o.payload_bytes = kGiB + 4096; }), "payload_bytes", "1073745920",
       "multiple of 4096 from 0 to 1073741824"},
      {With([](auto& o) { o.max_connections = 0; }), "max_connections", "0", "at least 1"},
      {With([](auto& o) { o.max_total_arena_bytes = 9457663; }), "max_total_arena_bytes", "9457663",
       "at least the 9457664 bytes"},
      {With([](auto& o) { o.arena_bytes = 8 * kGiB; }), "max_total_arena_bytes", "4294967296",
       "at least the 8589934592 bytes"},
      {With([](auto& o) { o.backing.kind = static_cast<ArenaBacking::Kind>(9); }), "backing.kind",
       "9", "kMemfd, kMemfdHuge or kDirectory"},
      {With([](auto& o) { o.backing.kind = ArenaBacking::Kind::kDirectory; }), "backing.directory",
       "empty", "path of a directory"},
      {With([](auto& o) { o.backing.directory = "/dev/shm"; }), "backing.directory", "\"/dev/shm\"",
       "kDirectory"},
      {With([](auto& o) {
         o.backing = {ArenaBacking::Kind::kDirectory, "/dev/shm"};
         o.allowed_uids = {1000};
       }),
       "allowed_uids", "not empty", "cannot be sealed"},
      {With([](auto& o) { o.coherence = static_cast<Coherence>(2); }), "coherence", "2",
       "kCoherent or kFlush"},
      {With([](auto& o) { o.distance.load_ns = 1'000'001; }), "distance", "1000001",
       "at most 1000000 ns"},
      {With([](auto& o) { o.distance.gbps = -1; }), "distance", "-1 GB/s", "at least 0.01"},
  };
  for (const auto& c : kInvalid) {
    EXPECT_THAT(Validate(c.options), StatusIs(absl::StatusCode::kInvalidArgument,
                                              AllOf(HasSubstr("grpc_cxl option " + c.field),
                                                    HasSubstr(c.value), HasSubstr(c.limits))));
  }
}

TEST(OptionsTest, AServersCommonFieldsAreCheckedToo) {
  ChannelOptions channel;
  channel.max_spin = absl::Seconds(2);
  EXPECT_THAT(Validate(channel), StatusIs(absl::StatusCode::kInvalidArgument));
}

}  // namespace
}  // namespace grpc_cxl::internal
