// SPDX-License-Identifier: Apache-2.0
#include "grpc_cxl/arena/memory_gate.h"

#include "absl/strings/str_cat.h"
#include "grpc_cxl/arena/available_memory.h"
#include "grpc_cxl/base/steady_clock.h"

namespace grpc_cxl::internal {
namespace {

constexpr int64_t kLookAfterNs = 100'000'000;
constexpr int64_t kLookAfterPart = 16;

}  // namespace

MemoryGate& MemoryGate::OfProcess() {
  static MemoryGate* const gate = new MemoryGate();
  return *gate;
}

absl::Status MemoryGate::Take(size_t bytes) {
  const auto wanted = static_cast<int64_t>(bytes);
  absl::MutexLock lock(mu_);
  const int64_t now = SteadyNs();
  if (now - looked_ns_ > kLookAfterNs || taken_ + wanted > seen_ / kLookAfterPart) {
    seen_ = AvailableMemory();
    taken_ = 0;
    looked_ns_ = now;
  }
  const int64_t spare = wanted <= kFewBytes ? kLeastSpareBytes : kSpareBytes;
  if (wanted > seen_ - taken_ - spare) {
    return absl::ResourceExhaustedError(
        absl::StrCat("cannot take ", bytes, " bytes for an arena: only ", seen_ - taken_,
                     " bytes of memory are available, of which ", spare,
                     " stay free; free memory or raise its limit"));
  }
  taken_ += wanted;
  return absl::OkStatus();
}

}  // namespace grpc_cxl::internal
