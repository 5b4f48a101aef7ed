// SPDX-License-Identifier: Apache-2.0
#ifndef GRPC_CXL_COHERENCE_CACHE_LINES_H_
#define GRPC_CXL_COHERENCE_CACHE_LINES_H_

#include <cstddef>

#include "absl/strings/string_view.h"
#include "absl/types/span.h"

// The processor's instructions for cache lines, and nothing else: clwb where there is one,
// else clflushopt, else clflush, chosen once at run time. x86-64 only.
namespace grpc_cxl::internal {

inline constexpr size_t kLineBytes = 64;

// Whether this processor can do what follows.
bool CanFlushLines();

// Writes the lines of these bytes back to memory, and waits: a store after it becomes visible
// to another host after them. About 50 to 200 cycles a line; lines overlap, those of `more` too.
void WriteBackLines(absl::Span<const char> bytes, absl::Span<const char> more = {});

// Drops the lines of these bytes from our caches, and waits: a load after it comes from memory.
// Lines that this host has written to go there first.
void InvalidateLines(absl::Span<const char> bytes, absl::Span<const char> more = {});

// Asks for the lines of these bytes, without waiting: the first 48, which is about what a core has
// under way at a time.
void PrefetchLines(absl::Span<const char> bytes);

// Copies past our caches: whole lines of `to` are not read first, and are on their way to memory,
// where WriteBackLines() must still be asked for. Of a MiB that is not in the cache, copy and
// write-back take half as long as after memcpy().
void StreamBytes(void* to, const void* from, size_t bytes);

// "clwb", "clflushopt" or "clflush", for people.
absl::string_view WriteBackInstruction();

}  // namespace grpc_cxl::internal

#endif  // GRPC_CXL_COHERENCE_CACHE_LINES_H_
