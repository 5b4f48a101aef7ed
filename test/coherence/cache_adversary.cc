// SPDX-License-Identifier: Apache-2.0
#include "test/coherence/cache_adversary.h"

#include <pthread.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <set>
#include <thread>

#include "absl/base/no_destructor.h"
#include "absl/log/check.h"
#include "absl/strings/numbers.h"
#include "test/coherence/host_cache.h"

namespace grpc_cxl::internal {
namespace {

// A pthread mutex: fork() holds it, so that no child finds a cache locked by a thread that it
// does not have.
struct Caches {
  pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
  std::set<HostCache*> all;
  bool has_thread = false;
};

Caches& TheCaches() {
  static absl::NoDestructor<Caches> caches;
  return *caches;
}

class Held {
 public:
  Held() { pthread_mutex_lock(&TheCaches().mutex); }
  ~Held() { pthread_mutex_unlock(&TheCaches().mutex); }
};

void Visit(void (*visit)(HostCache&)) {
  const Held held;
  for (HostCache* const cache : TheCaches().all) visit(*cache);
}

void ActForEver() {
  for (;;) {
    Visit([](HostCache& cache) {
      const HostCache::Lock lock(cache);
      cache.Act();
    });
    usleep(20);  // leaves the processor and the locks to others
  }
}

}  // namespace

std::atomic<uint64_t>& CacheAdversary::TheSeed() {
  static std::atomic<uint64_t> seed = [] {
    uint64_t number = 0;
    const char* const text = getenv("GRPC_CXL_CACHE_SEED");
    CHECK(text == nullptr || absl::SimpleAtoi(text, &number)) << "GRPC_CXL_CACHE_SEED=" << text;
    if (number != 0) fprintf(stderr, "simulated caches act by GRPC_CXL_CACHE_SEED=%s\n", text);
    return number;
  }();
  return seed;
}

void CacheAdversary::Add(HostCache* cache) {
  static const int handlers = pthread_atfork([] { pthread_mutex_lock(&TheCaches().mutex); },
                                             [] { pthread_mutex_unlock(&TheCaches().mutex); },
                                             [] {
                                               TheCaches().has_thread = false;
                                               pthread_mutex_unlock(&TheCaches().mutex);
                                             });
  CHECK_EQ(handlers, 0);
  const Held held;
  TheCaches().all.insert(cache);
  if (seed() % 2 == 1 && !TheCaches().has_thread) {
    TheCaches().has_thread = true;
    std::thread(ActForEver).detach();
  }
}

void CacheAdversary::Remove(HostCache* cache) {
  const Held held;
  TheCaches().all.erase(cache);
}

void CacheAdversary::ForEach(void (*visit)(HostCache&)) { Visit(visit); }

}  // namespace grpc_cxl::internal
