#include "grpc_cxl/coherence/memory_model.h"

#include <cmath>
#include <cstdlib>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "grpc_cxl/coherence/cache_lines.h"

namespace grpc_cxl {
namespace {

constexpr uint32_t kMostNs = 1'000'000;
constexpr double kSlowestGbps = 0.01;

// Replaces in `distance` what `text` names.
absl::Status Apply(absl::string_view text, MemoryDistance* distance) {
  for (const absl::string_view field : absl::StrSplit(text, ',', absl::SkipWhitespace())) {
    const std::pair<absl::string_view, absl::string_view> parts =
        absl::StrSplit(field, absl::MaxSplits('=', 1));
    bool good = false;
    if (parts.first == "load_ns") {
      good = absl::SimpleAtoi(parts.second, &distance->load_ns);
    } else if (parts.first == "store_ns") {
      good = absl::SimpleAtoi(parts.second, &distance->store_ns);
    } else if (parts.first == "gbps") {
      good = absl::SimpleAtod(parts.second, &distance->gbps);
    }
    if (!good) {
      return absl::InvalidArgumentError(
          absl::StrCat("\"", field,
                       "\" is no distance of memory; give load_ns=N, store_ns=N "
                       "(nanoseconds) and gbps=N, separated by commas"));
    }
  }
  return Validate(*distance);
}

// The environment's word, or an empty one.
absl::string_view Environment(const char* name) {
  const char* const text = std::getenv(name);
  return text == nullptr ? "" : text;
}

absl::Status In(const char* variable, const absl::Status& status) {
  return absl::Status(status.code(), absl::StrCat(variable, ": ", status.message()));
}

}  // namespace

absl::StatusOr<MemoryDistance> DistancePreset(absl::string_view name) {
  if (name == "local") return MemoryDistance{};
  if (name == "expander") return MemoryDistance{.load_ns = 250, .store_ns = 250, .gbps = 25};
  if (name == "switch") return MemoryDistance{.load_ns = 400, .store_ns = 400, .gbps = 25};
  if (name == "pool") return MemoryDistance{.load_ns = 800, .store_ns = 800, .gbps = 25};
  return absl::InvalidArgumentError(
      absl::StrCat("\"", name, "\" is none of local, expander, switch and pool"));
}

absl::StatusOr<MemoryDistance> ParseDistance(absl::string_view text) {
  MemoryDistance distance;
  if (absl::Status status = Apply(text, &distance); !status.ok()) return status;
  return distance;
}

absl::Status Validate(const MemoryDistance& distance) {
  if (distance.load_ns > kMostNs || distance.store_ns > kMostNs) {
    return absl::InvalidArgumentError(absl::StrCat("memory that is ", distance.load_ns,
                                                   " ns away for loads and ", distance.store_ns,
                                                   " ns for stores: at most ", kMostNs, " ns"));
  }
  if (!std::isfinite(distance.gbps) || (distance.gbps != 0 && distance.gbps < kSlowestGbps)) {
    return absl::InvalidArgumentError(absl::StrCat(
        "memory of ", distance.gbps, " GB/s: must be 0 (no limit) or at least ", kSlowestGbps));
  }
  return absl::OkStatus();
}

absl::StatusOr<Coherence> CoherenceFromEnvironment(Coherence coherence) {
  const absl::string_view word = Environment("GRPC_CXL_COHERENCE");
  if (word.empty()) return coherence;
  if (word == "flush") return Coherence::kFlush;
  if (word == "coherent") return Coherence::kCoherent;
  return absl::InvalidArgumentError(
      absl::StrCat("GRPC_CXL_COHERENCE is \"", word,
                   "\", but must be coherent or flush; unset it for what the options say"));
}

absl::StatusOr<MemoryModel> MemoryModelFromEnvironment(Coherence coherence,
                                                       const MemoryDistance& distance) {
  MemoryModel model{.coherence = coherence, .distance = distance};
  if (model.coherence == Coherence::kFlush && !CanFlushLines()) {
    return absl::UnimplementedError("flush mode needs the cache instructions of x86-64");
  }
  if (const absl::string_view preset = Environment("GRPC_CXL_PRESET"); !preset.empty()) {
    const absl::StatusOr<MemoryDistance> found = DistancePreset(preset);
    if (!found.ok()) return In("GRPC_CXL_PRESET", found.status());
    model.distance = *found;
  }
  if (absl::Status status = Apply(Environment("GRPC_CXL_MEMORY"), &model.distance); !status.ok()) {
    return In("GRPC_CXL_MEMORY", status);
  }
  const absl::string_view check = Environment("GRPC_CXL_CHECK_FLUSHES");
  if (!check.empty() && check != "0" && check != "1") {
    return absl::InvalidArgumentError(
        absl::StrCat("GRPC_CXL_CHECK_FLUSHES is \"", check, "\", but must be 0 or 1"));
  }
  model.private_copy = check == "1" && coherence == Coherence::kFlush;
  return model;
}

}  // namespace grpc_cxl
