// SPDX-License-Identifier: Apache-2.0
#include "grpc_cxl/blocks/block_pool.h"

#include <algorithm>
#include <utility>

#include "absl/log/check.h"
#include "absl/strings/str_cat.h"
#include "grpc_cxl/blocks/copy_counters.h"
#include "grpc_cxl/coherence/fence.h"

namespace grpc_cxl::internal {

BlockPool::Block& BlockPool::Block::operator=(Block&& other) noexcept {
  if (this != &other) {
    Reset();
    pool_ = std::exchange(other.pool_, nullptr);
    memory_ = std::exchange(other.memory_, {});
  }
  return *this;
}

void BlockPool::Block::Reset() {
  if (pool_ == nullptr) return;
  pool_->Release(memory_);
  memory_ = {};
  pool_.reset();
}

BlockPool::BlockPool(std::shared_ptr<const void> memory, absl::Span<char> area,
                     BlockOwnerWords* mine, const SharedU64* returned,
                     absl::Span<const BlockReturnEntry> entries, SharedView view,
                     BlockGrowth growth)
    : memory_(std::move(memory)),
      area_(area),
      mine_(mine),
      returned_(returned),
      entries_(entries),
      view_(view),
      pages_(growth.pages),
      runs_(growth.limit == nullptr ? static_cast<uint32_t>(AreaPages(area.size()))
                                    : growth.begin_pages),
      limit_(std::move(growth.limit)),
      reserved_((AreaPages(area.size()) + kExtentPages - 1) / kExtentPages, !pages_.on_use()),
      // relaxed: nothing is lent yet, so no entry counts.
      taken_back_(view.Load(*returned, std::memory_order_relaxed)) {
  CHECK(!area.empty() && IsAreaSize(area.size())) << "an area of " << area.size() << " bytes";
  CHECK_EQ(entries.size(), AreaPages(area.size()));
  CHECK_LE(runs_.pages(), AreaPages(area.size()));
}

BlockPool::~BlockPool() {
  absl::MutexLock lock(mu_);
  // What the peer still has goes with the connection.
  CopyCounters::OfProcess().loans_out.Add(-int64_t{loans_});
}

absl::StatusOr<BlockPool::Block> BlockPool::Allocate(size_t bytes, size_t least,
                                                     Priority priority) {
  CHECK(least >= 1 && least <= bytes);
  if (least > area_.size()) return Block();  // nor would it fit a count of pages
  const auto pages = [](size_t n) {
    return static_cast<uint32_t>((n + kPageBytes - 1) / kPageBytes);
  };
  if (!view_.Holds()) return NoLongerOurs();
  absl::MutexLock lock(mu_);
  const uint32_t most = pages(std::min(bytes, area_.size()));
  if (priority == Priority::kBulk) {
    if (absl::Status status = TakeBackLocked(); !status.ok()) return status;
    if (!LeavesHalf(most)) return Block();
  }
  const absl::StatusOr<PageRuns::Run> found = FindRun(most, pages(least));
  if (!found.ok()) return found.status();
  const PageRuns::Run run = *found;
  if (run.pages == 0) return Block();
  if (!Reserve(run)) {
    runs_.Free(run);
    return Block();
  }
  if (run.first + run.pages > blocks_.size()) {
    blocks_.resize(run.first + run.pages);
    first_of_.resize(run.first + run.pages);
  }
  blocks_[run.first] = {.pages = run.pages, .loans = 0, .held = true};
  for (uint32_t page = run.first; page < run.first + run.pages; ++page) {
    first_of_[page] = run.first;
  }
  TellPagesInUse();
  return Block(shared_from_this(),
               area_.subspan(size_t{run.first} * kPageBytes, size_t{run.pages} * kPageBytes));
}

absl::StatusOr<PageRuns::Run> BlockPool::FindRun(uint32_t pages, uint32_t least) {
  if (absl::Status status = TakeBackUpTo(view_.Peek(*returned_, std::memory_order_acquire));
      !status.ok()) {
    return status;
  }
  const PageRuns::Run run = TakeRun(pages, least);
  if (run.pages == pages || view_.coherent()) return run;
  // More may be free than was known.
  if (run.pages > 0) runs_.Free(run);
  if (absl::Status status = TakeBackLocked(); !status.ok()) return status;
  return TakeRun(pages, least);
}

PageRuns::Run BlockPool::TakeRun(uint32_t pages, uint32_t least) {
  if (const PageRuns::Run run = runs_.Take(pages, pages); run.pages > 0) return run;
  Grow(uint64_t{runs_.pages()} + pages);
  return runs_.Take(pages, least);
}

void BlockPool::Grow(uint64_t pages) {
  const auto all = static_cast<uint32_t>(AreaPages(area_.size()));
  const uint32_t now = runs_.pages();
  if (limit_ == nullptr || now >= all) return;
  // At least twice as many: few questions for a large area.
  const uint64_t wanted = std::max(uint64_t{2} * now, pages);
  const uint64_t rounded = (wanted + kExtentPages - 1) / kExtentPages * kExtentPages;
  const auto most = static_cast<uint32_t>(std::min<uint64_t>(rounded, all));
  runs_.Resize(std::max(now, limit_->Grow(most)));
}

bool BlockPool::LeavesHalf(uint32_t pages) {
  const uint64_t needed = 2 * (uint64_t{runs_.in_use()} + pages);
  if (needed > runs_.pages() && needed <= AreaPages(area_.size())) Grow(needed);
  return needed <= runs_.pages();
}

absl::Span<char> BlockPool::Extent(size_t extent) const {
  return area_.subspan(extent * kExtentPages * kPageBytes, kExtentPages * kPageBytes);
}

bool BlockPool::Reserve(PageRuns::Run run) {
  for (size_t extent = run.first / kExtentPages;
       extent <= (run.first + run.pages - 1) / kExtentPages; ++extent) {
    if (reserved_[extent]) continue;
    if (!pages_.Reserve(Extent(extent)).ok()) return false;
    reserved_[extent] = true;
    extents_in_use_.fetch_add(1, std::memory_order_relaxed);
  }
  return true;
}

bool BlockPool::Rest() {
  if (!pages_.may_give_back()) return false;
  absl::MutexLock lock(mu_);
  if (!TakeBackLocked().ok()) return false;
  for (size_t extent = 0; extent < reserved_.size(); ++extent) {
    const auto first = static_cast<uint32_t>(extent * kExtentPages);
    if (!reserved_[extent]) continue;
    if (first < runs_.pages() &&
        !runs_.IsFree({first, std::min(kExtentPages, runs_.pages() - first)})) {
      continue;
    }
    pages_.GiveBack(Extent(extent));
    reserved_[extent] = false;
    extents_in_use_.fetch_sub(1, std::memory_order_relaxed);
  }
  blocks_.resize(runs_.end_of_use());
  first_of_.resize(runs_.end_of_use());
  blocks_.shrink_to_fit();
  first_of_.shrink_to_fit();
  const uint32_t used = (runs_.end_of_use() + kExtentPages - 1) / kExtentPages * kExtentPages;
  const uint32_t keep = std::max(kRestPages, used);
  // Also where no more pages are used: others may have been granted meanwhile.
  if (limit_ == nullptr || !limit_->Shrink(keep)) return false;
  runs_.Resize(std::min(keep, runs_.pages()));
  return true;
}

bool BlockPool::Contains(absl::Span<const char> bytes) const {
  const auto begin = reinterpret_cast<uintptr_t>(bytes.data());
  const auto area = reinterpret_cast<uintptr_t>(area_.data());
  return begin >= area && begin - area < area_.size() &&
         bytes.size() <= area_.size() - (begin - area);
}

std::optional<BlockDescriptor> BlockPool::Lend(absl::Span<const char> bytes) {
  CHECK(!bytes.empty() && Contains(bytes));
  view_.Publish(bytes);
  absl::MutexLock lock(mu_);
  const uint32_t first = first_of_[PageOf(bytes.data())];
  State& block = blocks_[first];
  CHECK(block.held) << "only a block that is held can be lent";
  CHECK_LT(PageOf(&bytes.back()), first + block.pages) << "more than one block";
  if (loans_ == entries_.size()) return std::nullopt;
  ++loans_;
  ++block.loans;
  lent_bytes_ += bytes.size();
  CopyCounters::OfProcess().loans_out.Add();
  return BlockDescriptor{static_cast<uint32_t>(bytes.data() - area_.data()),
                         static_cast<uint32_t>(bytes.size())};
}

void BlockPool::Revoke(BlockDescriptor lent) {
  absl::MutexLock lock(mu_);
  const uint32_t page = lent.begin / kPageBytes;
  const uint32_t first = page < first_of_.size() ? first_of_[page] : 0;
  if (page >= first_of_.size() ||
      blocks_[first].loans == 0) {  // a peer that knew the descriptor has returned it
    broken_ = absl::DataLossError("the peer returned a block that it was not lent");
    return;
  }
  --loans_;
  --blocks_[first].loans;
  CopyCounters::OfProcess().loans_out.Add(-1);
  FreeIfUnused(first);
}

absl::Status BlockPool::TakeBack() {
  absl::MutexLock lock(mu_);
  return TakeBackLocked();
}

absl::Status BlockPool::TakeBackLocked() {
  // Matched, as the one in FindRun(), by the release store in BlockBorrower: the entries before it
  // are complete, and what the borrower read from these blocks it has read.
  return TakeBackUpTo(view_.Load(*returned_, std::memory_order_acquire));
}

absl::Status BlockPool::TakeBackUpTo(uint64_t returned) {
  if (!broken_.ok()) return broken_;
  if (returned == taken_back_) return absl::OkStatus();
  if (returned - taken_back_ > loans_) {
    return broken_ = absl::DataLossError(absl::StrCat(
               "the peer broke the return ring: it says it has returned ", returned - taken_back_,
               " blocks, but ", loans_, " are lent to it; nothing it says can be trusted now"));
  }
  AcquireEntries(returned);
  for (; taken_back_ != returned; ++taken_back_) {
    // relaxed: ordered by the acquire above. A hostile peer may still change it: read once.
    const uint32_t page = entries_[taken_back_ % entries_.size()].load(std::memory_order_relaxed);
    const uint32_t first = page < first_of_.size() ? first_of_[page] : 0;
    if (page >= first_of_.size() || blocks_[first].loans == 0 ||
        page - first >= blocks_[first].pages) {
      return broken_ = absl::DataLossError(
                 absl::StrCat("the peer broke the return ring: it returned page ", page,
                              ", which is not lent to it; nothing it says can be trusted now"));
    }
    --loans_;
    --blocks_[first].loans;
    CopyCounters::OfProcess().loans_out.Add(-1);
    FreeIfUnused(first);
  }
  return absl::OkStatus();
}

void BlockPool::Release(absl::Span<char> memory) {
  absl::MutexLock lock(mu_);
  const uint32_t first = PageOf(memory.data());
  blocks_[first].held = false;
  FreeIfUnused(first);
}

void BlockPool::FreeIfUnused(uint32_t first) {
  State& block = blocks_[first];
  if (block.held || block.loans > 0) return;
  runs_.Free({first, block.pages});
  block.pages = 0;
  TellPagesInUse();
}

void BlockPool::TellPagesInUse() {
  // relaxed: for onlookers.
  view_.Store(mine_->pages_in_use, uint64_t{runs_.in_use()}, std::memory_order_relaxed);
}

void BlockPool::AcquireEntries(uint64_t returned) {
  const auto acquire = [this](absl::Span<const BlockReturnEntry> entries) {
    view_.Acquire(
        {reinterpret_cast<const char*>(entries.data()), entries.size() * sizeof(entries[0])});
  };
  const size_t index = taken_back_ % entries_.size();
  const size_t count = returned - taken_back_;
  const size_t first = std::min(count, entries_.size() - index);
  acquire(entries_.subspan(index, first));
  acquire(entries_.subspan(0, count - first));
}

BlockPool::Usage BlockPool::usage() const {
  absl::MutexLock lock(mu_);
  return {.lent_bytes = lent_bytes_,
          .granted_bytes = uint64_t{runs_.pages()} * kPageBytes,
          .used_bytes = uint64_t{runs_.in_use()} * kPageBytes,
          .loans = loans_};
}

uint32_t BlockPool::pages_in_use() const {
  absl::MutexLock lock(mu_);
  return runs_.in_use();
}

}  // namespace grpc_cxl::internal
