// SPDX-License-Identifier: Apache-2.0
#ifndef GRPC_CXL_DOORBELL_FULL_FENCE_H_
#define GRPC_CXL_DOORBELL_FULL_FENCE_H_

#include <atomic>

namespace grpc_cxl::internal {

// The full fence of doorbell.h: no store before it is still pending when a load after it
// reads. Release and acquire give every other order that the shared words need, but not this
// one ("my store, then your word"). Matched by the FullFence() of the
// other process. About 15 ns.
//
// Under ThreadSanitizer the same instruction runs. GCC warns that the sanitizer does not
// model fences, which costs us nothing: it would have to know this one only to see
// plain accesses ordered by it, and there are none; all accesses that it orders, on both
// sides, are atomic words, and the bytes behind them are ordered by those words' own
// release and acquire, which the sanitizer does follow.
#if defined(__SANITIZE_THREAD__) && !defined(__clang__)
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wtsan"
#endif
inline void FullFence() { std::atomic_thread_fence(std::memory_order_seq_cst); }
#if defined(__SANITIZE_THREAD__) && !defined(__clang__)
#pragma GCC diagnostic pop
#endif

}  // namespace grpc_cxl::internal

#endif  // GRPC_CXL_DOORBELL_FULL_FENCE_H_
