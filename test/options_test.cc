// SPDX-License-Identifier: Apache-2.0
// Proves that the defaults are valid, that the limits in options.h are the limits, and that
// a value outside of them is refused with a sentence that names field, value and limits.
#include "grpc_cxl/options.h"

#include <cmath>
#include <cstddef>
#include <string>

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
// What the default rings and blocks need.
constexpr size_t kDefaultArena = 20 * kKiB + 2 * (512 * kKiB + 4096 * kKiB);

const ArenaBacking kShm = {ArenaBacking::Kind::kDirectory, "/dev/shm"};

using Change = void (*)(ServerOptions& options);

absl::Status ValidateWith(Change change) {
  ServerOptions options;
  change(options);
  return Validate(options);
}

TEST(OptionsTest, TheDefaultsAndTheLimitsThemselvesAreValid) {
  EXPECT_THAT(Validate(EndpointOptions()), IsOk());
  EXPECT_THAT(Validate(ChannelOptions()), IsOk());
  const Change kValid[] = {
      [](auto&) {},
      [](auto& o) { o.max_spin = absl::ZeroDuration(); },
      [](auto& o) { o.max_spin = absl::Seconds(1); },
      [](auto& o) { o.wait_policy = WaitPolicy::kSpin; },
      [](auto& o) { o.wait_policy = WaitPolicy::kPark; },
      [](auto& o) {
        o.allowed_uids.assign({0, 1, 65534, 4294967294});
      },
      [](auto& o) { o.ring_bytes = 4 * kKiB; },
      [](auto& o) { o.ring_bytes = kGiB; },
      [](auto& o) { o.arena_bytes = kDefaultArena; },
      [](auto& o) { o.payload_bytes = 0; },
      [](auto& o) { o.payload_bytes = kGiB; },
      [](auto& o) { o.max_connections = 1; },
      [](auto& o) { o.max_total_arena_bytes = kDefaultArena; },
      [](auto& o) { o.arena_bytes = 8 * kGiB; },
      [](auto& o) { o.backing.kind = ArenaBacking::Kind::kMemfdHuge; },
      [](auto& o) { o.coherence = Coherence::kFlush; },
      [](auto& o) { o.distance = {.load_ns = 1'000'000, .store_ns = 1'000'000, .gbps = 0.01}; },
      [](auto& o) { o.backing = kShm; },
  };
  for (const Change change : kValid) EXPECT_THAT(ValidateWith(change), IsOk());
}

TEST(OptionsTest, WhatIsOutsideIsNamed) {
  const struct {
    Change change;
    std::string field;
    std::string value;
    std::string limits;
  } kInvalid[] = {
      {[](auto& o) { o.max_spin = absl::Nanoseconds(-1); }, "max_spin", "-1ns", "from 0 to 1s"},
      {[](auto& o) { o.max_spin = absl::Milliseconds(1001); }, "max_spin", "1.001s", "1s"},
      {[](auto& o) { o.max_spin = absl::InfiniteDuration(); }, "max_spin", "inf", "1s"},
      {[](auto& o) { o.latency_weight = -1; }, "latency_weight", "-1", "from 0 to 1000"},
      {[](auto& o) { o.latency_weight = NAN; }, "latency_weight", "nan", "1000"},
      {[](auto& o) { o.idle_spin = absl::Seconds(2); }, "idle_spin", "2s", "from 100us to 1s"},
      {[](auto& o) { o.wait_policy = static_cast<WaitPolicy>(17); }, "wait_policy", "17",
       "kAdaptive, kSpin or kPark"},
      {[](auto& o) {
         o.allowed_uids.assign({5, 4294967295});
       },
       "allowed_uids", "4294967295", "none"},
      {[](auto& o) { o.ring_bytes = 0; }, "ring_bytes", "0", "4096 to 1073741824"},
      {[](auto& o) { o.ring_bytes = 2 * kKiB; }, "ring_bytes", "2048", "4096 to 1073741824"},
      {[](auto& o) { o.ring_bytes = 5000; }, "ring_bytes", "5000", "power of two"},
      {[](auto& o) { o.ring_bytes = 2 * kGiB; }, "ring_bytes", "2147483648", "power of two"},
      {[](auto& o) { o.arena_bytes = 9457663; }, "arena_bytes", "9457663", "at least 9457664"},
      {[](auto& o) { o.payload_bytes = 4095; }, "payload_bytes", "4095", "multiple of 4096"},
      {[](auto& o) { o.payload_bytes = kGiB + 4096; }, "payload_bytes", "1073745920",
       "multiple of 4096 from 0 to 1073741824"},
      {[](auto& o) { o.max_connections = 0; }, "max_connections", "0", "at least 1"},
      {[](auto& o) { o.max_total_arena_bytes = 9457663; }, "max_total_arena_bytes", "9457663",
       "at least the 9457664 bytes"},
      {[](auto& o) { o.backing.kind = static_cast<ArenaBacking::Kind>(9); }, "backing.kind", "9",
       "kMemfd, kMemfdHuge or kDirectory"},
      {[](auto& o) { o.backing.kind = ArenaBacking::Kind::kDirectory; }, "backing.directory",
       "empty", "path of a directory"},
      {[](auto& o) { o.backing.directory = "/dev/shm"; }, "backing.directory", "\"/dev/shm\"",
       "kDirectory"},
      {[](auto& o) {
         o.backing = kShm;
         o.allowed_uids.assign({1000});
       },
       "allowed_uids", "not empty", "cannot be sealed"},
      {[](auto& o) { o.coherence = static_cast<Coherence>(2); }, "coherence", "2",
       "kCoherent or kFlush"},
      {[](auto& o) { o.distance.load_ns = 1'000'001; }, "distance", "1000001",
       "at most 1000000 ns"},
      {[](auto& o) { o.distance.gbps = -1; }, "distance", "-1 GB/s", "at least 0.01"},
  };
  for (const auto& c : kInvalid) {
    EXPECT_THAT(ValidateWith(c.change), StatusIs(absl::StatusCode::kInvalidArgument,
                                                 AllOf(HasSubstr("grpc_cxl option " + c.field),
                                                       HasSubstr(c.value), HasSubstr(c.limits))));
  }
  ChannelOptions channel;
  channel.max_spin = absl::Seconds(2);
  EXPECT_THAT(Validate(channel), StatusIs(absl::StatusCode::kInvalidArgument));
  channel = {};
  channel.priority = static_cast<Priority>(3);
  EXPECT_THAT(Validate(channel), StatusIs(absl::StatusCode::kInvalidArgument,
                                          HasSubstr("option priority is 3; it must be kInteract")));
}

}  // namespace
}  // namespace grpc_cxl::internal
