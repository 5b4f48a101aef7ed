// SPDX-License-Identifier: Apache-2.0
#ifndef GRPC_CXL_ARENA_MEMORY_GATE_H_
#define GRPC_CXL_ARENA_MEMORY_GATE_H_

#include <cstddef>
#include <cstdint>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/synchronization/mutex.h"

namespace grpc_cxl::internal {

// Asked before this process takes memory for arenas: the kernel does not refuse memory that a
// control group or the machine has not got, it kills a process. Looks at AvailableMemory() again
// after 100 ms, or when a sixteenth of what the last look showed is taken. Thread-safe.
class MemoryGate {
 public:
  // Left to others.
  static constexpr int64_t kSpareBytes = int64_t{16} << 20;
  // The same when no more than kFewBytes are taken: a connection that needs a page is not to end
  // for want of it.
  static constexpr int64_t kLeastSpareBytes = int64_t{1} << 20;
  static constexpr int64_t kFewBytes = int64_t{64} << 10;

  static MemoryGate& OfProcess();

  // OK, or RESOURCE_EXHAUSTED with all figures, when fewer would be left than is to stay.
  absl::Status Take(size_t bytes);

 private:
  absl::Mutex mu_;
  int64_t seen_ ABSL_GUARDED_BY(mu_) = 0;   // available at the last look
  int64_t taken_ ABSL_GUARDED_BY(mu_) = 0;  // since then
  int64_t looked_ns_ ABSL_GUARDED_BY(mu_) = 0;
};

}  // namespace grpc_cxl::internal

#endif  // GRPC_CXL_ARENA_MEMORY_GATE_H_
