// SPDX-License-Identifier: Apache-2.0
#ifndef GRPC_CXL_BLOCKS_BLOCK_POOL_H_
#define GRPC_CXL_BLOCKS_BLOCK_POOL_H_

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/synchronization/mutex.h"
#include "absl/types/span.h"
#include "grpc_cxl/arena/arena_pages.h"
#include "grpc_cxl/blocks/area_limit.h"
#include "grpc_cxl/blocks/block_layout.h"
#include "grpc_cxl/blocks/page_runs.h"
#include "grpc_cxl/coherence/shared_view.h"
#include "grpc_cxl/priority_level.h"

namespace grpc_cxl::internal {

// Bytes travel in payload blocks from this size on, else through the ring. To find a block, to
// lend it and to get it back costs a few microseconds. A single call begins to gain at twice this
// size; streams, whose two ends work at once, gain a fifth at this one.
inline constexpr size_t kBlockThreshold = 16 << 10;

// How much memory a pool takes. By default its whole area is there and in use.
struct BlockGrowth {
  ArenaPages pages{};
  // Pages to begin with, and how to have others; null: all.
  uint32_t begin_pages = 0;
  std::unique_ptr<AreaLimit> limit{};
};

// The owner's side of one direction's blocks; its twin, BlockBorrower, lives in the peer's
// process. A block is a run of whole pages. It is free when no Block holds it and every loan
// of it has come back:
//
//   free --Allocate()--> held --Lend()--> held and lent --~Block--> lent --peer--> free
//
// The pool begins with a part of its area and grows with use, up to what its limit allows; at rest
// it shrinks again.
//
// Blocks may outlive the connection: the pool lives as long as the last of them, and keeps
// the memory mapped.
//
// The peer may be hostile: a return that it cannot owe is DATA_LOSS, after which its
// connection is of no more use; the blocks that are held stay good.
//
// Thread-safe; owned by a shared_ptr.
class BlockPool : public std::enable_shared_from_this<BlockPool> {
 public:
  // Holds a block, alone; move-only. An empty one holds nothing.
  class Block {
   public:
    Block() = default;
    Block(Block&& other) noexcept { *this = std::move(other); }
    Block& operator=(Block&& other) noexcept;
    ~Block() { Reset(); }

    explicit operator bool() const { return pool_ != nullptr; }
    // All of it: what was asked for, rounded up to whole pages.
    absl::Span<char> memory() const { return memory_; }
    const BlockPool* pool() const { return pool_.get(); }
    void Reset();

   private:
    friend class BlockPool;
    Block(std::shared_ptr<BlockPool> pool, absl::Span<char> memory)
        : pool_(std::move(pool)), memory_(memory) {}

    std::shared_ptr<BlockPool> pool_;
    absl::Span<char> memory_;
  };

  // `memory` keeps all the other arguments mapped; `area` has a size that is IsAreaSize(),
  // and `entries` one entry for each of its pages. `returned` is the peer's count.
  BlockPool(std::shared_ptr<const void> memory, absl::Span<char> area, BlockOwnerWords* mine,
            const SharedU64* returned, absl::Span<const BlockReturnEntry> entries,
            SharedView view = {}, BlockGrowth growth = {});
  ~BlockPool();

  // A block of at least `bytes` (at least 1); when only smaller ones are free, the largest of
  // them if it has `least` bytes; else, or when there is no memory, an empty one. Of kBulk, an
  // empty one as well where less than half of the pages would stay free. Never waits. Takes back
  // what the peer has returned. DATA_LOSS as above.
  absl::StatusOr<Block> Allocate(size_t bytes, size_t least,
                                 Priority priority = Priority::kDefault);
  absl::StatusOr<Block> Allocate(size_t bytes, Priority priority = Priority::kDefault) {
    return Allocate(bytes, bytes, priority);
  }

  // Whether `bytes` lie in this area; their block is then held.
  bool Contains(absl::Span<const char> bytes) const;

  // memcpy() into a block that is held, of bytes to be lent; SharedView::Copy().
  void Copy(char* to, absl::Span<const char> from) const { view_.Copy(to, from); }

  // Lends `bytes`, which lie in a block that is held and are complete, to the peer, who must be
  // told the descriptor. nullopt when as many loans are out as the return ring has
  // entries.
  std::optional<BlockDescriptor> Lend(absl::Span<const char> bytes);

  // Takes back what was lent, for a peer that was not told after all or has said that it will
  // not look. A peer that returns it all the same breaks its connection.
  void Revoke(BlockDescriptor lent);

  // Takes back what the peer has returned. Cheap when there is nothing. DATA_LOSS as above.
  absl::Status TakeBack();

  // Gives memory back of which no block is in use, until it is needed again. The peer is to be
  // woken when that is true.
  bool Rest();
  // Whether Rest() may have something to give.
  bool MayRest() const {
    return pages_.may_give_back() && extents_in_use_.load(std::memory_order_relaxed) > 0;
  }

  size_t area_bytes() const { return area_.size(); }
  uint32_t pages_in_use() const;

  // For people.
  struct Usage {
    uint64_t lent_bytes = 0;  // so far
    uint64_t granted_bytes = 0, used_bytes = 0;
    uint32_t loans = 0;  // pieces that the peer holds
  };
  Usage usage() const;

 private:
  // Pages that are reserved together.
  static constexpr uint32_t kExtentPages = 16;
  // Kept at rest, so that the next messages need not ask: 256 KiB.
  static constexpr uint32_t kRestPages = 64;

  // Of the block that begins at the page with the same index.
  struct State {
    uint32_t pages = 0;  // 0: no block begins here
    uint32_t loans = 0;
    bool held = false;
  };

  // A run of at least `least` free pages, at most `pages`; takes back and grows for them.
  absl::StatusOr<PageRuns::Run> FindRun(uint32_t pages, uint32_t least)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  PageRuns::Run TakeRun(uint32_t pages, uint32_t least) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  // Has more pages if there may be more, at least `pages` in all if possible.
  void Grow(uint64_t pages) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  // Whether half of the pages stay free when `pages` more are taken; grows for that.
  bool LeavesHalf(uint32_t pages) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  // False: there is no memory.
  bool Reserve(PageRuns::Run run) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  absl::Span<char> Extent(size_t extent) const;
  absl::Status TakeBackLocked() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  absl::Status TakeBackUpTo(uint64_t returned) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  void FreeIfUnused(uint32_t first) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  void TellPagesInUse() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  // Entries from taken_back_ up to `returned`, in two pieces at most.
  void AcquireEntries(uint64_t returned) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  void Release(absl::Span<char> memory);
  uint32_t PageOf(const char* byte) const {
    return static_cast<uint32_t>((byte - area_.data()) / kPageBytes);
  }

  const std::shared_ptr<const void> memory_;
  const absl::Span<char> area_;
  BlockOwnerWords* const mine_;
  const SharedU64* const returned_;
  const absl::Span<const BlockReturnEntry> entries_;
  const SharedView view_;
  const ArenaPages pages_;

  mutable absl::Mutex mu_;
  PageRuns runs_ ABSL_GUARDED_BY(mu_);  // of the pages up to the limit
  const std::unique_ptr<AreaLimit> limit_ ABSL_PT_GUARDED_BY(mu_);
  std::vector<bool> reserved_ ABSL_GUARDED_BY(mu_);  // extents
  std::atomic<size_t> extents_in_use_{0};            // of them; relaxed, a number by itself
  // Of the pages up to the last one that has been in use since the last rest.
  std::vector<State> blocks_ ABSL_GUARDED_BY(mu_);
  std::vector<uint32_t> first_of_ ABSL_GUARDED_BY(mu_);  // of the block that has this page
  uint64_t taken_back_ ABSL_GUARDED_BY(mu_);             // position in the return ring
  uint32_t loans_ ABSL_GUARDED_BY(mu_) = 0;
  uint64_t lent_bytes_ ABSL_GUARDED_BY(mu_) = 0;
  absl::Status broken_ ABSL_GUARDED_BY(mu_);
};

}  // namespace grpc_cxl::internal

#endif  // GRPC_CXL_BLOCKS_BLOCK_POOL_H_
