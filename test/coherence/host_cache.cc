// SPDX-License-Identifier: Apache-2.0
#include "test/coherence/host_cache.h"

#include <errno.h>
#include <sys/mman.h>

#include <algorithm>
#include <atomic>
#include <map>
#include <tuple>
#include <utility>

#include "absl/base/no_destructor.h"
#include "absl/base/thread_annotations.h"
#include "absl/log/check.h"
#include "absl/synchronization/mutex.h"
#include "grpc_cxl/base/shared_word.h"
#include "grpc_cxl/coherence/cache_lines.h"
#include "test/coherence/named_file.h"

namespace grpc_cxl::internal {
namespace {

constexpr size_t kWords = kLineBytes / sizeof(uint64_t);
constexpr size_t kLargestFile = size_t{256} << 20;

struct Line {
  uint64_t words[kWords];
  friend bool operator==(const Line&, const Line&) = default;
};

// The code under test reads and writes its copy as it likes, which the sanitizer must not hold
// against the simulation.
#define GRPC_CXL_UNSEEN __attribute__((no_sanitize("thread")))

GRPC_CXL_UNSEEN uint64_t Get(const char* line, size_t word) {
  return __atomic_load_n(reinterpret_cast<const uint64_t*>(line) + word, __ATOMIC_ACQUIRE);
}
GRPC_CXL_UNSEEN void Put(char* line, size_t word, uint64_t value) {
  __atomic_store_n(reinterpret_cast<uint64_t*>(line) + word, value, __ATOMIC_RELEASE);
}
GRPC_CXL_UNSEEN void Exchange(char* line, size_t word, uint64_t old, uint64_t value) {
  __atomic_compare_exchange_n(reinterpret_cast<uint64_t*>(line) + word, &old, value, false,
                              __ATOMIC_ACQ_REL, __ATOMIC_RELAXED);
}

std::atomic<uint64_t>& ImageWord(char* line, size_t word) {
  return reinterpret_cast<std::atomic<uint64_t>*>(line)[word];
}

// The words of a line as they were at one moment, as far as can be had: from the first one on,
// until two looks agree.
template <typename Load>
Line Snapshot(Load load) {
  Line line, again;
  for (size_t i = 0; i < kWords; ++i) line.words[i] = load(i);
  for (int tries = 0; tries < 4; ++tries) {
    for (size_t i = 0; i < kWords; ++i) again.words[i] = load(i);
    if (std::exchange(line, again) == again) break;
  }
  return line;
}
Line SnapshotOf(const char* line) {
  return Snapshot([line](size_t i) { return Get(line, i); });
}
// acquire: what the image holds was written back, with release.
Line SnapshotOfImage(char* line) {
  return Snapshot([line](size_t i) { return ImageWord(line, i).load(std::memory_order_acquire); });
}

char* MapNew(size_t bytes, int protection, int flags) {
  void* const mapped =
      mmap(nullptr, bytes, protection, flags | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  PCHECK(mapped != MAP_FAILED) << "no memory for simulated caches of " << bytes << " bytes";
  return static_cast<char*>(mapped);
}

}  // namespace

struct HostCache::Shared {
  static constexpr size_t kRecent = 64;

  pthread_mutex_t mutex;
  uint64_t random;
  uint64_t touched;          // how many lines were
  uint32_t recent[kRecent];  // the last of them
  size_t known_pages;        // of the following
  uint8_t known[kLargestFile / kPageBytes];

  uint64_t Random(uint64_t below) {
    random ^= random << 13;
    random ^= random >> 7;
    random ^= random << 17;
    return (random >> 16) % below;
  }
};

// The caches that stay, by file and machine.
class LastingCaches {
 public:
  std::shared_ptr<HostCache> Get(const NamedFile& file, uint32_t machine) {
    CHECK_LE(file.bytes, kLargestFile);
    absl::MutexLock lock(mu_);
    Cache& cache = caches_[std::tuple(file.identity, machine)];
    if (cache.cache == nullptr) {
      cache.cache.reset(new HostCache({MapNew(kLargestFile, PROT_NONE, MAP_PRIVATE), kLargestFile},
                                      /*lasting=*/true));
    }
    // A mapping of our own, which keeps the inode from being used for another file. Files grow.
    if (file.bytes > cache.mapped) {
      PCHECK(mmap(cache.cache->image_, file.bytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED,
                  file.fd.get(), 0) != MAP_FAILED);
      cache.mapped = file.bytes;
    }
    return cache.cache;
  }

 private:
  struct Cache {
    std::shared_ptr<HostCache> cache;
    uint64_t mapped = 0;
  };
  absl::Mutex mu_;
  std::map<std::tuple<std::pair<uint64_t, uint64_t>, uint32_t>, Cache> caches_ ABSL_GUARDED_BY(mu_);
};

std::shared_ptr<HostCache> HostCache::Of(absl::Span<char> memory, std::optional<uint32_t> machine,
                                         size_t* offset) {
  static absl::NoDestructor<LastingCaches> lasting;
  std::shared_ptr<HostCache> cache;
  const std::optional<NamedFile> file =
      machine.has_value() ? NamedFileAt(memory.data()) : std::nullopt;
  if (file.has_value()) {
    cache = lasting->Get(*file, *machine);
    *offset = file->offset;
  } else {
    cache.reset(new HostCache(memory, /*lasting=*/false));
    *offset = 0;
  }
  const Lock lock(*cache);
  cache->Know(*offset, memory.size());
  return cache;
}

HostCache::HostCache(absl::Span<char> memory, bool lasting)
    : capacity_(memory.size()), image_(memory.data()) {
  CHECK(capacity_ % kLineBytes == 0) << "memory of " << capacity_ << " bytes";
  constexpr size_t kSharedBytes = (sizeof(Shared) + kPageBytes - 1) / kPageBytes * kPageBytes;
  mapping_bytes_ = kSharedBytes + 2 * capacity_;
  mapping_ = MapNew(mapping_bytes_, PROT_READ | PROT_WRITE, lasting ? MAP_SHARED : MAP_PRIVATE);
  shared_ = reinterpret_cast<Shared*>(mapping_);
  copy_ = mapping_ + kSharedBytes;
  clean_ = copy_ + capacity_;
  shared_->known_pages = lasting ? capacity_ / kPageBytes : 0;
  static std::atomic<uint64_t> caches{1};
  shared_->random = (CacheAdversary::seed() + 1) * 0x9e3779b97f4a7c15 ^ ++caches << 32;
  pthread_mutexattr_t attributes;
  pthread_mutexattr_init(&attributes);
  pthread_mutexattr_setpshared(&attributes, PTHREAD_PROCESS_SHARED);
  pthread_mutexattr_setrobust(&attributes, PTHREAD_MUTEX_ROBUST);
  CHECK_EQ(pthread_mutex_init(&shared_->mutex, &attributes), 0);
  CacheAdversary::Add(this);
}

HostCache::~HostCache() {
  CacheAdversary::Remove(this);
  munmap(mapping_, mapping_bytes_);
}

HostCache::Lock::Lock(HostCache& cache) : cache_(cache) {
  const int locked = pthread_mutex_lock(&cache_.shared_->mutex);
  // A process of this machine was killed with the lock held: some line is dirty that need not be.
  if (locked == EOWNERDEAD) pthread_mutex_consistent(&cache_.shared_->mutex);
  CHECK(locked == 0 || locked == EOWNERDEAD) << locked;
}

HostCache::Lock::~Lock() { pthread_mutex_unlock(&cache_.shared_->mutex); }

void HostCache::Know(size_t offset, size_t bytes) {
  for (size_t at = offset; at < offset + bytes; at += kLineBytes) {
    if (shared_->known_pages != 0 && shared_->known[at / kPageBytes] != 0) continue;
    const Line line = SnapshotOfImage(image_ + at);
    for (size_t i = 0; i < kWords; ++i) {
      // Pages without content are not touched.
      if (line.words[i] != 0) {
        Put(copy_ + at, i, line.words[i]);
        Put(clean_ + at, i, line.words[i]);
      }
    }
    const bool last = (at + kLineBytes) % kPageBytes == 0 || at + kLineBytes >= offset + bytes;
    if (last && shared_->known_pages != 0) shared_->known[at / kPageBytes] = 1;
  }
}

bool HostCache::IsDirty(size_t line) const {
  const size_t at = line * kLineBytes;
  for (size_t i = 0; i < kWords; ++i) {
    if (Get(copy_ + at, i) != Get(clean_ + at, i)) return true;
  }
  return false;
}

// The image's words are written from the last one on, so that a reader that sees the first has the
// others.
void HostCache::WriteBackLine(size_t line) {
  const size_t at = line * kLineBytes;
  const Line words = SnapshotOf(copy_ + at);
  for (size_t i = kWords; i-- > 0;) {
    ImageWord(image_ + at, i).store(words.words[i], std::memory_order_release);
    Put(clean_ + at, i, words.words[i]);
  }
}

void HostCache::Fetch(size_t line) {
  const size_t at = line * kLineBytes;
  const Line words = SnapshotOfImage(image_ + at);
  if (IsDirty(line)) return;
  for (size_t i = kWords; i-- > 0;) {
    const uint64_t old = Get(clean_ + at, i);
    if (old == words.words[i]) continue;
    Put(clean_ + at, i, words.words[i]);
    Exchange(copy_ + at, i, old, words.words[i]);  // not over a store that comes just now
  }
}

void HostCache::Remember(size_t line) {
  shared_->recent[shared_->touched++ % Shared::kRecent] = static_cast<uint32_t>(line);
}

void HostCache::WriteBack(size_t first, size_t last) {
  // In an order of the adversary's choice.
  const size_t count = last - first + 1;
  const size_t start = CacheAdversary::seed() == 0 ? 0 : shared_->Random(count);
  const bool backwards = CacheAdversary::seed() != 0 && shared_->Random(2) == 1;
  for (size_t i = 0; i < count; ++i) {
    const size_t line = first + (start + (backwards ? count - i : i)) % count;
    WriteBackLine(line);
    Remember(line);
  }
}

void HostCache::Flush(size_t first, size_t last) {
  for (size_t line = first; line <= last; ++line) {
    if (IsDirty(line)) WriteBackLine(line);
    Fetch(line);
    Remember(line);
  }
}

void HostCache::Act() {
  const uint64_t seed = CacheAdversary::seed();
  if (seed == 0 || shared_->touched == 0) return;
  // Some seeds are more zealous than others.
  const uint64_t actions = shared_->Random(seed % 4 < 2 ? 8 : 2);
  for (uint64_t i = 0; i < actions; ++i) {
    const uint64_t known = std::min<uint64_t>(shared_->touched, Shared::kRecent);
    size_t line = shared_->recent[shared_->Random(known)];
    if (shared_->Random(4) == 0) line ^= 1;  // the other half of what is fetched at once
    if ((line + 1) * kLineBytes > capacity_) continue;
    IsDirty(line) ? WriteBackLine(line) : Fetch(line);
  }
}

void HostCache::EvictAll() {
  CacheAdversary::ForEach([](HostCache& cache) {
    const Lock lock(cache);
    const size_t pages = cache.shared_->known_pages;
    for (size_t line = 0; line < cache.capacity_ / kLineBytes; ++line) {
      const size_t page = line * kLineBytes / kPageBytes;
      if (pages != 0 && cache.shared_->known[page] == 0) {
        line = (page + 1) * kPageBytes / kLineBytes - 1;
      } else if (cache.IsDirty(line)) {
        cache.WriteBackLine(line);
      }
    }
  });
}

}  // namespace grpc_cxl::internal
