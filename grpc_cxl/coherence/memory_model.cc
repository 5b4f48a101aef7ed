// SPDX-License-Identifier: Apache-2.0
#include "grpc_cxl/coherence/memory_model.h"

#include <algorithm>
#include <cmath>
#include <utility>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "grpc_cxl/coherence/cache_lines.h"
#include "grpc_cxl/coherence/private_copy.h"

namespace grpc_cxl::internal {
namespace {

constexpr uint32_t kMostNs = 1'000'000;
constexpr double kSlowestGbps = 0.01;
constexpr uint32_t kMostLines = 1024;

}  // namespace

absl::StatusOr<MemoryDistance> DistancePreset(absl::string_view name) {
  if (name == "local") return MemoryDistance{};
  if (name == "expander") return MemoryDistance{.load_ns = 250, .store_ns = 250, .gbps = 25};
  if (name == "switch") {
    return MemoryDistance{.load_ns = 400, .store_ns = 400, .gbps = 25, .snoop_ns = 300};
  }
  if (name == "pool") {
    return MemoryDistance{.load_ns = 800, .store_ns = 800, .gbps = 25, .snoop_ns = 700};
  }
  if (name == "fast_expander") return MemoryDistance{.load_ns = 140, .store_ns = 140, .gbps = 25};
  if (name == "slow_expander") return MemoryDistance{.load_ns = 410, .store_ns = 410, .gbps = 25};
  if (name == "tailed_expander") {
    return MemoryDistance{.load_ns = 250, .store_ns = 250, .gbps = 25, .tail_ns = 1000};
  }
  return absl::InvalidArgumentError(
      absl::StrCat("\"", name,
                   "\" is none of local, expander, fast_expander, slow_expander, tailed_expander, "
                   "switch and pool"));
}

absl::StatusOr<MemoryDistance> ParseDistance(absl::string_view text, MemoryDistance distance) {
  for (const absl::string_view field : absl::StrSplit(text, ',', absl::SkipWhitespace())) {
    const std::pair<absl::string_view, absl::string_view> parts =
        absl::StrSplit(field, absl::MaxSplits('=', 1));
    bool good = false;
    if (parts.first == "load_ns") {
      good = absl::SimpleAtoi(parts.second, &distance.load_ns);
    } else if (parts.first == "store_ns") {
      good = absl::SimpleAtoi(parts.second, &distance.store_ns);
    } else if (parts.first == "lines_in_flight") {
      good = absl::SimpleAtoi(parts.second, &distance.lines_in_flight);
    } else if (parts.first == "snoop_ns") {
      good = absl::SimpleAtoi(parts.second, &distance.snoop_ns);
    } else if (parts.first == "tail_ns") {
      good = absl::SimpleAtoi(parts.second, &distance.tail_ns);
    } else if (parts.first == "gbps") {
      good = absl::SimpleAtod(parts.second, &distance.gbps);
    }
    if (!good) {
      return absl::InvalidArgumentError(absl::StrCat(
          "\"", field,
          "\" is no distance of memory; give load_ns=N, store_ns=N, snoop_ns=N, "
          "tail_ns=N (nanoseconds), gbps=N and lines_in_flight=N, separated by commas"));
    }
  }
  if (absl::Status status = Validate(distance); !status.ok()) return status;
  return distance;
}

absl::Status Validate(const MemoryDistance& distance) {
  if (std::max({distance.load_ns, distance.store_ns, distance.snoop_ns, distance.tail_ns}) >
      kMostNs) {
    return absl::InvalidArgumentError(
        absl::StrCat("memory that is ", distance.load_ns, " ns away for loads and ",
                     distance.store_ns, " ns for stores, ", distance.snoop_ns,
                     " ns further where another cache is asked, and "
                     "sometimes ",
                     distance.tail_ns, " ns further: at most ", kMostNs, " ns"));
  }
  if (distance.lines_in_flight == 0 || distance.lines_in_flight > kMostLines) {
    return absl::InvalidArgumentError(absl::StrCat(
        distance.lines_in_flight, " lines in flight on a core: must be 1 to ", kMostLines));
  }
  if (!std::isfinite(distance.gbps) || (distance.gbps != 0 && distance.gbps < kSlowestGbps)) {
    return absl::InvalidArgumentError(absl::StrCat(
        "memory of ", distance.gbps, " GB/s: must be 0 (no limit) or at least ", kSlowestGbps));
  }
  return absl::OkStatus();
}

absl::StatusOr<MemoryModel> MakeMemoryModel(Coherence coherence, const MemoryDistance& distance,
                                            bool check_flushes) {
  if (coherence == Coherence::kFlush && !CanFlushLines()) {
    return absl::UnimplementedError("flush mode needs the cache instructions of x86-64");
  }
  const bool private_copy = check_flushes && coherence == Coherence::kFlush;
  if (private_copy && PrivateCopy::factory() == nullptr) {
    return absl::FailedPreconditionError(
        "GRPC_CXL_CHECK_FLUSHES is for grpc_cxl's own tests: this program does not link the "
        "checker; unset it");
  }
  return MemoryModel{.coherence = coherence,
                     .distance = distance,
                     .private_copy = private_copy,
                     .machine = std::nullopt};
}

}  // namespace grpc_cxl::internal
