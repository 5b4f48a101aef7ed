// SPDX-License-Identifier: Apache-2.0
#ifndef GRPC_CXL_TEST_COHERENCE_CACHE_ADVERSARY_H_
#define GRPC_CXL_TEST_COHERENCE_CACHE_ADVERSARY_H_

#include <atomic>
#include <cstdint>

namespace grpc_cxl::internal {

class HostCache;

// What caches do when nobody asked, by GRPC_CXL_CACHE_SEED:
//
//   0, or unset   nothing: caches are as lazy as can be. What the code forgot to write back or to
//                 drop is then never seen, so checker_mutation_test runs so
//   even          before and after each write-back and each dropping, for lines that were touched
//                 lately and their neighbours: a test with one thread does the same every time
//   odd           so, and at any moment between two instructions, from a thread of its own
//
// Laziness hides orders that go wrong, zeal hides what was forgotten: both are needed.
// //test/coherence:cache_seeds_test runs the rooms' tests with many seeds. Thread-safe.
class CacheAdversary {
 public:
  static uint64_t seed() { return TheSeed().load(std::memory_order_relaxed); }
  // In place of the variable; not while there are caches.
  static void SetSeed(uint64_t seed) { TheSeed().store(seed, std::memory_order_relaxed); }

  // Tells of caches that come and go. The thread never looks at one that has gone.
  static void Add(HostCache* cache);
  static void Remove(HostCache* cache);
  // Calls `visit` for every cache.
  static void ForEach(void (*visit)(HostCache&));

 private:
  static std::atomic<uint64_t>& TheSeed();
};

}  // namespace grpc_cxl::internal

#endif  // GRPC_CXL_TEST_COHERENCE_CACHE_ADVERSARY_H_
