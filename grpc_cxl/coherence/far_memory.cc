#include "grpc_cxl/coherence/far_memory.h"

#include <algorithm>

#include "absl/base/no_destructor.h"
#include "absl/log/check.h"
#include "grpc_cxl/coherence/cache_lines.h"
#include "grpc_cxl/coherence/calibrated_wait.h"

namespace grpc_cxl::internal {
namespace {

// Lines that are remembered; more than an arena has control words. Two that meet forget each
// other, and cost a load too many.
constexpr size_t kRemembered = 1024;

uintptr_t LineOf(const void* word) {
  return reinterpret_cast<uintptr_t>(word) & ~uintptr_t{kLineBytes - 1};
}

void Charge(int64_t nanoseconds) {
  if (nanoseconds <= 0) return;
  WaitNanoseconds(nanoseconds);
  DistanceTotals& totals = TheDistanceTotals();
  totals.charged_ns.fetch_add(nanoseconds, std::memory_order_relaxed);
  totals.accesses.fetch_add(1, std::memory_order_relaxed);
}

}  // namespace

DistanceTotals& TheDistanceTotals() {
  static absl::NoDestructor<DistanceTotals> totals;
  return *totals;
}

std::unique_ptr<FarMemory> FarMemory::Create(const MemoryModel& model, absl::Span<char> memory) {
  if (model.coherence == Coherence::kCoherent && model.distance.none()) return nullptr;
  return std::unique_ptr<FarMemory>(new FarMemory(model, memory));
}

FarMemory::FarMemory(const MemoryModel& model, absl::Span<char> memory)
    : model_(model),
      memory_(memory),
      checker_(model.private_copy ? std::make_unique<Checker>(memory) : nullptr) {
  CHECK_EQ(LineOf(memory.data()), reinterpret_cast<uintptr_t>(memory.data()));
  if (coherent()) seen_.reset(new std::atomic<uint64_t>[kRemembered]());
  if (!model.distance.none()) WaitNanoseconds(1);  // calibrates, not in the middle of a call
}

void FarMemory::Refresh(Site site, const void* words) {
  if (checker_) {
    checker_->Invalidate(site, words, 1);
  } else if (!coherent()) {
    InvalidateLines(words, 1);
  }
  if (model_.distance.load_ns > 0 && (!coherent() || Changed(words))) {
    Charge(model_.distance.load_ns);
  }
}

void FarMemory::WriteBack(Site site, const void* word) {
  if (checker_) {
    checker_->WriteBack(site, word, 1);
  } else if (!coherent()) {
    WriteBackLines(word, 1);
  }
  Charge(model_.distance.store_ns);
}

void FarMemory::Publish(Site site, absl::Span<const char> bytes) {
  if (bytes.empty()) return;
  if (checker_) {
    checker_->WriteBack(site, bytes.data(), bytes.size());
  } else if (!coherent()) {
    WriteBackLines(bytes.data(), bytes.size());
  }
  // The wait for the last line is that of the word which tells of them, in coherent memory.
  Charge((coherent() ? 0 : model_.distance.store_ns) + TransferNs(bytes.size()));
}

void FarMemory::Acquire(Site site, absl::Span<const char> bytes) {
  if (bytes.empty()) return;
  if (checker_) {
    checker_->Invalidate(site, bytes.data(), bytes.size());
  } else if (!coherent()) {
    InvalidateLines(bytes.data(), bytes.size());
  }
  Charge(model_.distance.load_ns + TransferNs(bytes.size()));
}

bool FarMemory::Changed(const void* words) {
  const uintptr_t line = LineOf(words);
  uint64_t hash = line;
  for (size_t i = 0; i < kLineBytes / sizeof(uint64_t); ++i) {
    // relaxed: compared only. The caller's own load, which follows, has the order it needs.
    const uint64_t word =
        reinterpret_cast<const std::atomic<uint64_t>*>(line)[i].load(std::memory_order_relaxed);
    hash = (hash ^ word) * 0x9e3779b97f4a7c15;
    hash ^= hash >> 29;
  }
  std::atomic<uint64_t>& seen = seen_[line / kLineBytes % kRemembered];
  // relaxed: a guess of what a cache would hold.
  if (seen.load(std::memory_order_relaxed) == hash) return false;
  seen.store(hash, std::memory_order_relaxed);
  return true;
}

int64_t FarMemory::TransferNs(size_t bytes) const {
  // 1 GB/s is a byte a nanosecond.
  return model_.distance.gbps == 0 ? 0 : static_cast<int64_t>(bytes / model_.distance.gbps);
}

}  // namespace grpc_cxl::internal
