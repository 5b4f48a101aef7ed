// SPDX-License-Identifier: Apache-2.0
#include "grpc_cxl/options.h"

#include <algorithm>
#include <cstddef>
#include <type_traits>
#include <utility>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "grpc_cxl/calls/call_layout.h"
#include "grpc_cxl/coherence/memory_model.h"
#include "grpc_cxl/link/link_layout.h"
#include "grpc_cxl/rendezvous/host_name.h"
#include "grpc_cxl/rendezvous/name_files.h"

namespace grpc_cxl {
namespace {

constexpr size_t kMinRingBytes = size_t{4} << 10;
constexpr size_t kMaxRingBytes = size_t{1} << 30;
constexpr size_t kMostCapacity = size_t{1} << 20;
constexpr char kRolloutLimits[] = "1 to 12 characters of A-Z a-z 0-9 . _ -; shorten a hash";
constexpr absl::Duration kMaxSpin = absl::Seconds(1);  // as GRPC_CXL_SPIN_US

template <typename Value>
absl::Status Invalid(absl::string_view field, const Value& value, absl::string_view limits) {
  return absl::InvalidArgumentError(
      absl::StrCat("grpc_cxl option ", field, " is ", value, "; it must be ", limits));
}

}  // namespace

absl::Status Validate(const EndpointOptions& options) {
  if (!options.trusted_directory.empty() && !options.rendezvous_directory.empty()) {
    return Invalid("trusted_directory", absl::StrCat("\"", options.trusted_directory, "\""),
                   "empty when rendezvous_directory is set: it takes its place");
  }
  if (!options.rollout.empty() && !internal::IsRollout(options.rollout)) {
    return Invalid("rollout", absl::StrCat("\"", options.rollout, "\""), kRolloutLimits);
  }
  switch (options.wait_policy) {
    case WaitPolicy::kAdaptive:
    case WaitPolicy::kSpin:
    case WaitPolicy::kPark:
      break;
    default:
      return Invalid("wait_policy", static_cast<int>(options.wait_policy),
                     "kAdaptive, kSpin or kPark");
  }
  if (options.max_spin < absl::ZeroDuration() || options.max_spin > kMaxSpin) {
    return Invalid("max_spin", absl::FormatDuration(options.max_spin),
                   absl::StrCat("from 0 to ", absl::FormatDuration(kMaxSpin)));
  }
  // So written that NaN is out of range too.
  if (!(options.latency_weight >= 0 && options.latency_weight <= 1000)) {
    return Invalid("latency_weight", options.latency_weight, "from 0 to 1000");
  }
  if (options.idle_spin < absl::Microseconds(100) || options.idle_spin > absl::Seconds(1)) {
    return Invalid("idle_spin", absl::FormatDuration(options.idle_spin), "from 100us to 1s");
  }
  if (absl::Status status = internal::Validate(options.distance); !status.ok()) {
    return absl::InvalidArgumentError(absl::StrCat("grpc_cxl option distance: ", status.message()));
  }
  static_assert(std::is_same_v<uid_t, gid_t>);
  for (const auto& [name, ids] : {std::pair("allowed_uids", options.allowed_uids),
                                  std::pair("allowed_gids", options.allowed_gids),
                                  std::pair("trusted_uids", options.trusted_uids)}) {
    // The kernel's number for an unknown user or group.
    if (std::find(ids.begin(), ids.end(), static_cast<uid_t>(-1)) != ids.end()) {
      return Invalid(name, "a list with 4294967295 in it",
                     "a list of numbers of users or groups, and this number is none");
    }
  }
  return absl::OkStatus();
}

absl::Status Validate(const ChannelOptions& options) {
  switch (options.priority) {
    case Priority::kDefault:
    case Priority::kInteractive:
    case Priority::kBulk:
      return Validate(static_cast<const EndpointOptions&>(options));
  }
  return Invalid("priority", static_cast<uint32_t>(options.priority),
                 "kInteractive, kDefault or kBulk");
}

absl::Status Validate(const ServerOptions& options) {
  if (absl::Status both_ends = Validate(static_cast<const EndpointOptions&>(options));
      !both_ends.ok()) {
    return both_ends;
  }
  for (const std::string& host : options.also_known_as) {
    if (const auto name = internal::NameOfHost(host); !name.ok()) {
      return absl::InvalidArgumentError(absl::StrCat("also_known_as: ", name.status().message()));
    }
  }
  if (options.ring_bytes < kMinRingBytes || options.ring_bytes > kMaxRingBytes ||
      (options.ring_bytes & (options.ring_bytes - 1)) != 0) {
    return Invalid("ring_bytes", options.ring_bytes,
                   absl::StrCat("a power of two from ", kMinRingBytes, " to ", kMaxRingBytes));
  }
  if (!internal::IsAreaSize(options.payload_bytes)) {
    return Invalid("payload_bytes", options.payload_bytes,
                   absl::StrCat("a multiple of ", internal::kPageBytes, " from 0 to ",
                                internal::kMaxAreaBytes));
  }
  const size_t needed = internal::ArenaBytes(
      {.ring_bytes = options.ring_bytes, .payload_bytes = options.payload_bytes});
  if (options.arena_bytes != 0 && options.arena_bytes < needed) {
    return Invalid(
        "arena_bytes", options.arena_bytes,
        absl::StrCat("0 (just what is needed) or at least ", needed, ", for two rings of ",
                     options.ring_bytes, " bytes and two payload areas of ", options.payload_bytes,
                     " bytes"));
  }
  const size_t one_arena = options.arena_bytes == 0 ? needed : options.arena_bytes;
  if (!internal::IsCallBufferSize(options.call_buffer_bytes)) {
    return Invalid("call_buffer_bytes", options.call_buffer_bytes,
                   "a multiple of 4096 from 4096 to 1048576");
  }
  if (options.max_connections == 0) {
    return Invalid("max_connections", options.max_connections, "at least 1");
  }
  if (options.max_total_arena_bytes != 0 && options.max_total_arena_bytes < one_arena) {
    return Invalid("max_total_arena_bytes", options.max_total_arena_bytes,
                   absl::StrCat("0 (a quarter of the memory there is) or at least the ", one_arena,
                                " bytes of one connection's arena"));
  }
  if (options.capacity > kMostCapacity) {
    return Invalid("capacity", options.capacity,
                   absl::StrCat("from 0 (any number of calls) to ", kMostCapacity));
  }
  switch (options.backing.kind) {
    case ArenaBacking::Kind::kMemfd:
    case ArenaBacking::Kind::kMemfdHuge:
      if (!options.backing.directory.empty()) {
        return Invalid("backing.directory", absl::StrCat("\"", options.backing.directory, "\""),
                       "empty unless backing.kind is kDirectory");
      }
      break;
    case ArenaBacking::Kind::kDirectory:
      if (options.backing.directory.empty()) {
        return Invalid("backing.directory", "empty",
                       "the path of a directory when backing.kind is kDirectory");
      }
      if (!options.allowed_uids.empty() || !options.allowed_gids.empty()) {
        return Invalid(options.allowed_uids.empty() ? "allowed_gids" : "allowed_uids", "not empty",
                       "empty when backing.kind is kDirectory: such memory cannot be sealed, so "
                       "another user could shrink it under this process");
      }
      break;
    default:
      return Invalid("backing.kind", static_cast<int>(options.backing.kind),
                     "kMemfd, kMemfdHuge or kDirectory");
  }
  switch (options.coherence) {
    case Coherence::kCoherent:
    case Coherence::kFlush:
      return absl::OkStatus();
  }
  return Invalid("coherence", static_cast<uint32_t>(options.coherence), "kCoherent or kFlush");
}

}  // namespace grpc_cxl
