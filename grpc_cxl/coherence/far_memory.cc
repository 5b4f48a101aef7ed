// SPDX-License-Identifier: Apache-2.0
#include "grpc_cxl/coherence/far_memory.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <utility>

#include "absl/log/check.h"
#include "grpc_cxl/coherence/calibrated_wait.h"

namespace grpc_cxl::internal {
namespace {

// Lines that are remembered; more than an arena has control words. Two lines that share an entry
// evict each other, at the cost of one load more.
constexpr size_t kRemembered = 1024;

uintptr_t LineOf(const void* word) {
  return reinterpret_cast<uintptr_t>(word) & ~uintptr_t{kLineBytes - 1};
}

std::unique_ptr<PrivateCopy> MakeCopy(const MemoryModel& model, absl::Span<char> memory) {
  CHECK(PrivateCopy::factory() != nullptr) << "MakeMemoryModel() tells; see PrivateCopy";
  return PrivateCopy::factory()(memory, model.machine);
}

// In (0, 1], of the thread.
double Random() {
  thread_local uint64_t state = reinterpret_cast<uintptr_t>(&state) | 1;
  state ^= state << 13;
  state ^= state >> 7;
  state ^= state << 17;
  return static_cast<double>((state >> 11) + 1) / 9007199254740992.0;  // 2^53
}

}  // namespace

std::unique_ptr<FarMemory> FarMemory::Create(const MemoryModel& model, absl::Span<char> memory,
                                             std::shared_ptr<Fence> fence) {
  const bool plain = model.coherence == Coherence::kCoherent && model.distance.none();
  if (plain && fence == nullptr) return nullptr;
  return std::unique_ptr<FarMemory>(new FarMemory(model, memory, std::move(fence)));
}

FarMemory::FarMemory(const MemoryModel& model, absl::Span<char> memory,
                     std::shared_ptr<Fence> fence)
    : model_(model),
      memory_(memory),
      fence_(std::move(fence)),
      copy_(model.private_copy ? MakeCopy(model, memory) : nullptr) {
  CHECK_EQ(LineOf(memory.data()), reinterpret_cast<uintptr_t>(memory.data()));
  if (coherent()) seen_.reset(new std::atomic<uint64_t>[kRemembered]());
  if (!model.distance.none()) WaitNanoseconds(1);  // calibrates, not in the middle of a call
}

const void* FarMemory::Mirror(const void* line) {
  if (coherent()) return line;
  CHECK(mirror_.words == nullptr) << "one mirror for each memory";
  CHECK_EQ(LineOf(line), reinterpret_cast<uintptr_t>(line));
  mirror_.words = static_cast<const SharedU64*>(line);
  mirror_.Copy();
  return mirror_.copy;
}

// The first word says that others are good (rule 3 of SharedView): it is read first and stored
// last.
void FarMemory::MirroredLine::Copy() {
  uint64_t seen[kLineBytes / sizeof(uint64_t)];
  // Matched by the peer's stores, whatever the word is; the stores here by the loads of our users,
  // who so acquire what they would have acquired from the line itself.
  for (size_t i = 0; i < std::size(copy); ++i) seen[i] = words[i].load(std::memory_order_acquire);
  for (size_t i = std::size(copy); i-- > 0;) {
    // relaxed: stored under the lock only. What stays need not be taken from other cores' caches.
    if (copy[i].load(std::memory_order_relaxed) == seen[i]) continue;
    copy[i].store(seen[i], std::memory_order_release);
  }
}

void FarMemory::Refresh(const void* words, Site site) {
  if (!mirror_.Has(words)) return RefreshLine(words, site);
  absl::MutexLock lock(mirror_.mu);
  RefreshLine(mirror_.words, site);
  mirror_.Copy();
}

void FarMemory::RefreshLine(const void* words, Site site) {
  if (copy_) {
    copy_->Invalidate(words, 1, site);
  } else if (!coherent()) {
    InvalidateLines({static_cast<const char*>(words), 1});
  }
  if (model_.distance.load_ns > 0 && (!coherent() || Changed(words))) Load();
}

void FarMemory::Load(int64_t transfer_ns) const {
  if (model_.distance.load_ns > 0) DistanceCounters::OfProcess().loads.Add();
  Charge(load_ns(), transfer_ns);
}

void FarMemory::Store(int64_t transfer_ns) const {
  if (model_.distance.store_ns > 0) DistanceCounters::OfProcess().stores.Add();
  Charge(store_ns(), transfer_ns);
}

void FarMemory::Charge(uint32_t latency_ns, int64_t transfer_ns) const {
  int64_t nanoseconds = latency_ns + transfer_ns;
  if (latency_ns > 0 && model_.distance.tail_ns > 0) {
    constexpr double kSlow = 0.01;
    constexpr double kLongest = 4;
    if (const double random = Random(); random < kSlow) {
      nanoseconds += static_cast<int64_t>(model_.distance.tail_ns *
                                          std::min(kLongest, std::log10(kSlow / random)));
    }
  }
  if (nanoseconds <= 0) return;
  WaitNanoseconds(nanoseconds);
  DistanceCounters::OfProcess().charged_ns.Add(nanoseconds);
}

void FarMemory::WriteBack(const void* word, Site site) {
  if (copy_) {
    copy_->WriteBack(word, 1, site);
  } else if (!coherent()) {
    WriteBackLines({static_cast<const char*>(word), 1});
  }
}

void FarMemory::Copy(char* to, Bytes from) const {
  // From a page on: smaller copies are often of lines that the cache has.
  constexpr size_t kLeastStream = 4096;
  if (copy_ || coherent() || from.size() < kLeastStream) {
    std::memcpy(to, from.data(), from.size());
  } else {
    StreamBytes(to, from.data(), from.size());
  }
}

void FarMemory::Publish(Bytes bytes, Bytes more, Site site) {
  const size_t size = bytes.size() + more.size();
  if (size == 0) return;
  if (copy_) {
    for (const Bytes each : {bytes, more}) {
      if (!each.empty()) copy_->WriteBack(each.data(), each.size(), site);
    }
  } else if (!coherent()) {
    WriteBackLines(bytes, more);
  }
  if (coherent()) {
    Charge(0, TransferNs(size, load_ns()));
  } else {
    Store(TransferNs(size, store_ns()));
  }
}

void FarMemory::Acquire(Bytes bytes, Bytes more, Site site) {
  const size_t size = bytes.size() + more.size();
  if (size == 0) return;
  if (copy_) {
    for (const Bytes each : {bytes, more}) {
      if (!each.empty()) copy_->Invalidate(each.data(), each.size(), site);
    }
  } else if (!coherent()) {
    InvalidateLines(bytes, more);
    PrefetchLines(bytes);
    PrefetchLines(more);
  }
  Load(TransferNs(size, load_ns()));
}

void FarMemory::Flush(Bytes bytes, Site site) {
  if (bytes.empty() || coherent()) return;
  if (copy_) {
    copy_->Flush(bytes.data(), bytes.size(), site);
  } else {
    InvalidateLines(bytes);
  }
  Store(TransferNs(bytes.size(), store_ns()));
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

int64_t FarMemory::TransferNs(size_t bytes, uint32_t latency_ns) const {
  const MemoryDistance& distance = model_.distance;
  const size_t lines = (bytes + kLineBytes - 1) / kLineBytes;
  const auto core = static_cast<int64_t>(lines * latency_ns / distance.lines_in_flight);
  // 1 GB/s is a byte a nanosecond.
  const auto link = distance.gbps == 0 ? 0 : static_cast<int64_t>(bytes / distance.gbps);
  return std::max(core, link);
}

}  // namespace grpc_cxl::internal
