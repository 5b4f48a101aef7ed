// SPDX-License-Identifier: Apache-2.0
#ifndef GRPC_CXL_BASE_SHARED_WORD_H_
#define GRPC_CXL_BASE_SHARED_WORD_H_

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <type_traits>

namespace grpc_cxl::internal {

// Words that two processes share. Rules of the house: every word has exactly one
// writing process, zero is a valid and empty value (fresh pages are zero), and a
// value written by the peer is loaded once into a local, checked, and only then used.
using SharedU32 = std::atomic<uint32_t>;
using SharedU64 = std::atomic<uint64_t>;

// A std::atomic may be placed in memory that another process maps only if it is the
// bare integer: no lock hidden in this process, no extra state, nothing to construct
// or destroy.
static_assert(SharedU32::is_always_lock_free && sizeof(SharedU32) == sizeof(uint32_t));
static_assert(SharedU64::is_always_lock_free && sizeof(SharedU64) == sizeof(uint64_t));
static_assert(std::is_trivially_destructible_v<SharedU64> && std::is_standard_layout_v<SharedU64>);

// The word at `bytes`, any address in memory that the peer may write at any time. A volatile read
// is neither repeated nor split by the compiler's wish, so that the word that is checked is the
// word that is used. Orders nothing: an acquire load of the index that published the bytes comes
// first.
inline uint32_t ReadOnce(const char* bytes) {
  struct __attribute__((packed, may_alias)) Unaligned {
    uint32_t word;
  };
  return reinterpret_cast<const volatile Unaligned*>(bytes)->word;
}

// Words with different writers stay this far apart. 128 rather than 64: x86 fetches
// cache lines in pairs.
inline constexpr size_t kWriterAlignment = 128;

// Memory with different writers is divided by pages of this size, whatever the processor's are.
inline constexpr size_t kPageBytes = 4096;

}  // namespace grpc_cxl::internal

#endif  // GRPC_CXL_BASE_SHARED_WORD_H_
