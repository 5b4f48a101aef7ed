// SPDX-License-Identifier: Apache-2.0
#ifndef GRPC_CXL_COHERENCE_FAR_MEMORY_H_
#define GRPC_CXL_COHERENCE_FAR_MEMORY_H_

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <iterator>
#include <memory>

#include "absl/synchronization/mutex.h"
#include "absl/types/span.h"
#include "grpc_cxl/base/counter.h"
#include "grpc_cxl/base/shared_word.h"
#include "grpc_cxl/coherence/cache_lines.h"
#include "grpc_cxl/coherence/fence.h"
#include "grpc_cxl/coherence/memory_model.h"
#include "grpc_cxl/coherence/private_copy.h"

namespace grpc_cxl::internal {

// What this process has waited for to emulate MemoryDistance.
struct DistanceCounters {
  Counter charged_ns;
  // Trips to memory, one after the other: loads that had to go there, also of many lines at once,
  // and stores that had to be there. Of distances that are not 0.
  Counter loads, stores;

  static DistanceCounters& OfProcess() {
    static DistanceCounters counters;
    return counters;
  }
};

// Memory that is not coherent, far away, behind a Fence, or all of these. The slow half of
// SharedView, whose docstring has the contract.
//
// The cost of distance:
//
//   a word that is stored           store_ns, before anybody can see it
//   a word that is loaded           load_ns. In coherent memory nothing while its line has not
//                                   changed: it is still in the cache, so that polling is free
//                                   until something comes; without coherence every look goes to
//                                   memory
//   bytes that are acquired         load_ns for the first line, and the transfer
//   bytes that are published        coherent: the transfer of their lines to us, which the peer has
//                                   read last (reads for ownership); they go back later. Else
//                                   store_ns, and the transfer of their lines to the memory
//
// In coherent memory each of these latencies is longer by snoop_ns: the peer's cache has the line.
// A transfer takes as long as the link needs (gbps), or one core, which has lines_in_flight under
// way at any time: the latency of a line for each so many. Each latency may have a tail.
//
// Thread-safe.
class FarMemory {
 public:
  // For `memory`, which must be aligned to lines and outlive this. Null when nothing is needed of
  // it: coherent, not far, and no fence.
  static std::unique_ptr<FarMemory> Create(const MemoryModel& model, absl::Span<char> memory,
                                           std::shared_ptr<Fence> fence = nullptr);

  // Where to read and write: `memory`, or a private copy of it. The same size.
  absl::Span<char> memory() const { return copy_ ? copy_->bytes() : memory_; }

  bool coherent() const { return model_.coherence == Coherence::kCoherent; }

  bool Holds() const { return fence_ == nullptr || fence_->Holds(); }

  // SharedView has what these mean.
  const void* Mirror(const void* line);
  void Refresh(const void* words, Site site);
  // Comes before each store of a word, as long as that takes.
  void AwaitStore() { Store(); }
  void WriteBack(const void* word, Site site);
  using Bytes = absl::Span<const char>;
  void Copy(char* to, Bytes from) const;
  void Publish(Bytes bytes, Bytes more, Site site);
  void Acquire(Bytes bytes, Bytes more, Site site);
  void Flush(Bytes bytes, Site site);

 private:
  FarMemory(const MemoryModel& model, absl::Span<char> memory, std::shared_ptr<Fence> fence);

  // A line that the peer writes, and what was in it when it was last dropped.
  struct MirroredLine {
    const SharedU64* words = nullptr;
    absl::Mutex mu;  // so that no copy is older than the one before
    alignas(kLineBytes) SharedU64 copy[kLineBytes / sizeof(SharedU64)] = {};

    bool Has(const void* word) const { return word >= copy && word < std::end(copy); }
    void Copy();
  };

  void RefreshLine(const void* words, Site site);
  // Whether the line has changed since the last time, as far as we remember.
  bool Changed(const void* line);
  // Waits for a trip, and for `transfer_ns` besides.
  void Load(int64_t transfer_ns = 0) const;
  void Store(int64_t transfer_ns = 0) const;
  void Charge(uint32_t latency_ns, int64_t transfer_ns) const;
  // `latency_ns` is of one line.
  int64_t TransferNs(size_t bytes, uint32_t latency_ns) const;
  // Of a line that the peer's cache may have.
  uint32_t load_ns() const { return model_.distance.load_ns + snoop_ns(); }
  uint32_t store_ns() const { return model_.distance.store_ns + snoop_ns(); }
  uint32_t snoop_ns() const { return coherent() ? model_.distance.snoop_ns : 0; }

  const MemoryModel model_;
  const absl::Span<char> memory_;
  const std::shared_ptr<Fence> fence_;       // may be null
  const std::unique_ptr<PrivateCopy> copy_;  // null but with MemoryModel::private_copy
  MirroredLine mirror_;
  // What was seen in a line, by its address; for a coherent memory that is far.
  std::unique_ptr<std::atomic<uint64_t>[]> seen_;
};

// Where this process works on `memory`, and how; both are just that when `far` is null.
inline absl::Span<char> WorkingMemory(const FarMemory* far, absl::Span<char> memory) {
  return far == nullptr ? memory : far->memory();
}

}  // namespace grpc_cxl::internal

#endif  // GRPC_CXL_COHERENCE_FAR_MEMORY_H_
