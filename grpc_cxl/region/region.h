// SPDX-License-Identifier: Apache-2.0
#ifndef GRPC_CXL_REGION_REGION_H_
#define GRPC_CXL_REGION_REGION_H_

#include <atomic>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"
#include "absl/types/span.h"
#include "grpc_cxl/arena/arena.h"
#include "grpc_cxl/base/unique_fd.h"
#include "grpc_cxl/coherence/far_memory.h"
#include "grpc_cxl/coherence/fence.h"
#include "grpc_cxl/coherence/memory_model.h"
#include "grpc_cxl/coherence/shared_view.h"
#include "grpc_cxl/region/own_entries.h"
#include "grpc_cxl/region/region_layout.h"
#include "grpc_cxl/region/silence_watch.h"

namespace grpc_cxl::internal {

// Names a region and the host that this process runs on. A plain value.
struct RegionOptions {
  std::string path{};
  uint32_t host = 0;
  uint64_t bytes = 0;  // 0: all that the file or device has
  MemoryModel model = {.coherence = Coherence::kFlush, .distance = {}, .private_copy = false};

  // The same, with the machine whose caches are simulated: that of the host if it names none.
  RegionOptions WithMachine() const {
    RegionOptions named = *this;
    if (!named.model.machine.has_value()) named.model.machine = host;
    return named;
  }

  friend bool operator==(const RegionOptions&, const RegionOptions&) = default;
};

struct RegionFormat {
  uint32_t hosts = 16;                      // 1 to 256
  uint64_t bytes = 0;                       // 0: all there is. A plain file grows to this size
  uint64_t granule = 0;                     // 0: the alignment of the file or device
  absl::Duration lease = absl::Seconds(1);  // 100 ms to 10 min, the same for all processes
  Coherence coherence = Coherence::kFlush;  // kCoherent is faster, for coherent memory
};

// Makes a region of a file or device, whose content is lost. FAILED_PRECONDITION when a process of
// this machine uses it as a region, RESOURCE_EXHAUSTED when the file system has no space for it,
// INVALID_ARGUMENT, and the errors of OpenRegionFile(). No process of another machine may use it,
// which cannot be checked here.
absl::Status FormatRegion(const std::string& path, const RegionFormat& format);

// A process's view of a region: the mapped directory, its words, its locks, and its memory. Every
// word may be nonsense (see region_layout.h).
//
// Thread-safe.
class Region {
 public:
  // The host of a process that only looks.
  static constexpr uint32_t kObserver = UINT32_MAX;

  // The errors of OpenRegionFile(); FAILED_PRECONDITION when the file is no region, or one of
  // another version; INVALID_ARGUMENT for a host that the region does not have.
  static absl::StatusOr<std::shared_ptr<Region>> Open(const RegionOptions& options);

  const std::string& path() const { return options_.path; }
  const MemoryModel& model() const { return options_.model; }
  uint32_t host() const { return options_.host; }
  uint32_t hosts() const { return hosts_; }
  uint64_t granule() const { return granule_; }
  absl::Duration lease() const { return lease_; }
  uint64_t memory_per_host() const { return MemoryPerHost(bytes_, hosts_, granule_); }
  uint64_t memory_begin(uint32_t host) const {
    return MemoryBegin(hosts_, granule_) + host * memory_per_host();
  }

  // REQUIRES: host < hosts().
  HostControl& control(uint32_t host) const {
    return reinterpret_cast<HostControl*>(memory_.data() + kRegionHeaderBytes)[host];
  }
  HostControl& mine() const { return control(host()); }

  // Loads a word in the control of `host`. Processes of one host see each other's stores, so only
  // words of other hosts need more than the load. Matched by the Store() of the same word, as are
  // the plain acquire loads of this host's own words.
  template <typename T>
  T Load(uint32_t host, const std::atomic<T>& word, Site site = Site::current()) const {
    if (host == options_.host) return word.load(std::memory_order_acquire);
    return view_.Load(word, std::memory_order_acquire, site);
  }
  // Stores a word in this host's control. A reader of the new value also sees all earlier stores.
  // Matched by the loads of the same word.
  template <typename T>
  void Store(std::atomic<T>& word, T value, Site site = Site::current()) const {
    if (Hook* const hook = hook_.load(std::memory_order_relaxed)) hook();
    if (IsGivenUp()) return;
    view_.Store(word, value, std::memory_order_release, site);
  }
  // Frees the entry with that id; the last store of its life.
  void Free(SharedU64& id, Site site = Site::current()) const {
    own_entries_.Forget(id, [&] { Store(id, uint64_t{0}, site); });
  }
  OwnEntries& own_entries() const { return own_entries_; }
  // Writes those of this process's entries anew that were damaged, and frees those abandoned.
  void MendEntries() const;

  // For entries: Publish() comes before the Store() that announces `bytes`, Acquire() after the
  // Load() that saw it.
  void Publish(absl::Span<const char> bytes, Site site = Site::current()) const {
    if (Hook* const hook = hook_.load(std::memory_order_relaxed)) hook();
    if (IsGivenUp()) return;
    view_.Publish(bytes, site);
  }
  void Acquire(uint32_t host, absl::Span<const char> bytes, Site site = Site::current()) const {
    if (host != options_.host) view_.Acquire(bytes, site);
  }

  // Brings the line of a word of this host's own anew, as far as another machine may have written
  // to it.
  void FlushLine(const void* word, Site site = Site::current()) const {
    view_.Flush({static_cast<const char*>(word), 1}, site);
  }
  // Before this host's first look at its own control, whose lines may be in its caches from another
  // format, or from before another machine was this host: writes them back and drops them.
  void FlushControl(Site site = Site::current()) const {
    view_.Flush({reinterpret_cast<const char*>(&mine()), sizeof(HostControl)}, site);
  }

  // FAILED_PRECONDITION unless these are whole granules of the memory of `host`.
  absl::Status CheckMemory(uint32_t host, uint64_t offset, uint64_t bytes) const;
  // Maps that memory, and drops older lines of it from this host's caches.
  absl::StatusOr<Arena> MapMemory(uint32_t host, uint64_t offset, uint64_t bytes) const;
  // Maps and zeroes it, kZeroedAtATime bytes at a time; NoLongerOurs() as soon as `fence` no longer
  // holds.
  static constexpr size_t kZeroedAtATime = 64 << 10;
  absl::StatusOr<Arena> MapZeroed(uint32_t host, uint64_t offset, uint64_t bytes,
                                  std::shared_ptr<Fence> fence) const;
  // Writes the lines of that memory that this host's caches hold back, and drops them, before
  // others get it: a line that was written and never published would reach them later. Nothing to
  // do in coherent memory. The errors of MapMemory().
  absl::Status FlushMemory(uint32_t host, uint64_t offset, uint64_t bytes,
                           Site site = Site::current()) const;

  // Excludes the other processes of this host. Held for microseconds, and for milliseconds while a
  // process clears up after a dead client. A process that is stopped while it holds the lock keeps
  // the others from making entries; their beats go on.
  class ABSL_SCOPED_LOCKABLE HostLock {
   public:
    explicit HostLock(const Region& region) ABSL_EXCLUSIVE_LOCK_FUNCTION(region.mu_);
    HostLock(const HostLock&) = delete;
    HostLock& operator=(const HostLock&) = delete;
    ~HostLock() ABSL_UNLOCK_FUNCTION();

   private:
    const Region& region_;
  };
  absl::Mutex& mutex() const ABSL_LOCK_RETURNED(mu_) { return mu_; }
  // The same without a wait. False when another thread or process has it.
  bool TryLockHost() const
      ABSL_EXCLUSIVE_TRYLOCK_FUNCTION(true, mu_) ABSL_NO_THREAD_SAFETY_ANALYSIS;
  void UnlockHost() const ABSL_UNLOCK_FUNCTION(mu_);

  // The lock that the owner of process entry `index` of this host holds for as long as it lives.
  absl::StatusOr<bool> TryLockProcess(uint32_t index) const;
  void UnlockProcess(uint32_t index) const;
  // Whether another process holds it.
  bool IsProcessLocked(uint32_t index) const;
  // The file that the locks are on. A device may have several nodes, whose locks do not meet.
  struct Node {
    uint64_t device = 0;
    uint64_t inode = 0;
    friend bool operator==(const Node&, const Node&) = default;
  };
  const Node& node() const { return node_; }

  // The process's place is another's: nothing is stored any more. relaxed: a flag by itself.
  void GiveUp() const { given_up_.store(true, std::memory_order_relaxed); }
  bool IsGivenUp() const { return given_up_.load(std::memory_order_relaxed); }

  SilenceWatch& silence() const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_) { return silence_; }

  // The id of this host's next entry.
  uint64_t NextId() const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex());

  // For tests: called before every store of this process in any region. relaxed: set before there
  // are other threads.
  using Hook = void();
  static void SetStoreHook(Hook* hook) { hook_.store(hook, std::memory_order_relaxed); }

 private:
  Region(const RegionOptions& options, UniqueFd fd, Arena control);
  absl::Status CheckHeader(uint64_t file_bytes);
  // For memory that is mapped or flushed: no emulated distance.
  MemoryModel NearModel() const;

  const RegionOptions options_;
  const UniqueFd fd_;
  const Node node_;
  const Arena control_;
  const std::unique_ptr<FarMemory> far_;
  const SharedView view_;
  const absl::Span<char> memory_;
  // From the header, checked.
  uint32_t hosts_ = 0;
  uint64_t bytes_ = 0;
  uint64_t granule_ = 0;
  absl::Duration lease_;

  mutable absl::Mutex mu_;
  mutable OwnEntries own_entries_;
  mutable SilenceWatch silence_ ABSL_GUARDED_BY(mu_);
  mutable std::atomic<bool> given_up_{false};
  static std::atomic<Hook*> hook_;
};

}  // namespace grpc_cxl::internal

#endif  // GRPC_CXL_REGION_REGION_H_
