// SPDX-License-Identifier: Apache-2.0
#ifndef GRPC_CXL_TEST_COHERENCE_HOST_CACHE_H_
#define GRPC_CXL_TEST_COHERENCE_HOST_CACHE_H_

#include <pthread.h>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>

#include "absl/types/span.h"
#include "test/coherence/cache_adversary.h"

namespace grpc_cxl::internal {

// The simulated caches of one machine, as far as they hold lines of one memory: all processors of
// the machine work on `bytes()`, and lines move between there and the memory
//
//   * when the code writes them back or drops them, and
//   * when nobody asked, as far as the adversary goes: a line that was written to goes to memory,
//     a line that was not is fetched anew (CacheAdversary).
//
// A line goes to memory as a whole, also words of it that nobody here has written and that are old.
// Dropping a line that was written to writes it back first. Lines that are written back together
// get there in any order; all are there when the call, which includes the fence, returns.
//
// Which machine a view belongs to, its test says (MemoryModel::machine). The caches of a machine
// know memory by the file and the place in it, not by the mapping. They keep what they hold until
// the process ends: over connections, joins and formats. Children that are forked meanwhile are
// processes of the same machines; other processes have machines of their own. Memory that has no
// name, such as an arena that came over a socket, never comes back under another connection: its
// caches go with the view. x86-64 only.
//
// What is not simulated: a line counts as written to when it differs from what was fetched, so a
// store of the value that is there already is not noticed until the code writes it back. A line
// is fetched when it is dropped, not when it is next loaded, unless the adversary does. Lines
// travel word by word, the first word of a line being the last to get there and the first to be
// read (rule 3 of SharedView). Fences cannot be left out one by one: each is part of its
// write-back or dropping.
//
// Thread-safe where it says so; else with the Lock held.
class HostCache {
 public:
  // For `memory`, which begins `*offset` bytes into the cache. Thread-safe.
  static std::shared_ptr<HostCache> Of(absl::Span<char> memory, std::optional<uint32_t> machine,
                                       size_t* offset);
  HostCache(const HostCache&) = delete;
  HostCache& operator=(const HostCache&) = delete;
  ~HostCache();

  // What the machine sees. Thread-safe.
  absl::Span<char> bytes() const { return {copy_, capacity_}; }

  // Excludes all threads, and all processes of the machine; a process may be killed meanwhile.
  class Lock {
   public:
    explicit Lock(HostCache& cache);
    Lock(const Lock&) = delete;
    Lock& operator=(const Lock&) = delete;
    ~Lock();

   private:
    HostCache& cache_;
  };

  // Of the lines from number `first` to number `last`.
  void WriteBack(size_t first, size_t last);
  void Flush(size_t first, size_t last);

  // What the adversary has in mind at a moment like this.
  void Act();

  // Every line that was written to goes to memory, in all caches of this process. Thread-safe.
  static void EvictAll();

 private:
  struct Shared;

  HostCache(absl::Span<char> memory, bool lasting);
  // Makes lines of these bytes exist, as they are in memory now.
  void Know(size_t offset, size_t bytes);
  bool IsDirty(size_t line) const;
  void WriteBackLine(size_t line);
  void Fetch(size_t line);
  void Remember(size_t line);

  const size_t capacity_;
  char* image_;    // the memory
  char* mapping_;  // the next three
  Shared* shared_;
  char* copy_;
  char* clean_;  // what the copy was when it was last fetched or written back
  size_t mapping_bytes_;
  friend class LastingCaches;
};

}  // namespace grpc_cxl::internal

#endif  // GRPC_CXL_TEST_COHERENCE_HOST_CACHE_H_
