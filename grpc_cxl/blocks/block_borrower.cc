// SPDX-License-Identifier: Apache-2.0
#include "grpc_cxl/blocks/block_borrower.h"

#include <algorithm>

#include "absl/log/check.h"
#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "grpc_cxl/blocks/copy_counters.h"

namespace grpc_cxl::internal {

BlockBorrower::BlockBorrower(std::shared_ptr<const void> memory, absl::Span<char> area,
                             SharedU64* returned, const BlockOwnerWords* owner,
                             absl::Span<BlockReturnEntry> entries, SharedView view,
                             BlockGrant grant)
    : memory_(std::move(memory)),
      area_(area),
      returned_word_(returned),
      entries_(entries),
      view_(view),
      owner_(owner),
      pages_(grant.pages),
      limit_(std::move(grant.limit)),
      granted_word_(grant.granted),
      granted_bytes_(limit_ == nullptr ? area.size() : size_t{grant.begin_pages} * kPageBytes),
      // relaxed: only this process writes it.
      returned_(returned->load(std::memory_order_relaxed)) {
  CHECK(!area.empty() && IsAreaSize(area.size())) << "an area of " << area.size() << " bytes";
  CHECK_EQ(entries.size(), AreaPages(area.size()));
  CHECK(limit_ == nullptr || granted_word_ != nullptr);
  CHECK_LE(granted_bytes_.load(std::memory_order_relaxed), area.size());
}

absl::StatusOr<BlockBorrower::Loan> BlockBorrower::Borrow(BlockDescriptor descriptor) {
  const size_t granted = granted_bytes_.load(std::memory_order_relaxed);
  if (descriptor.bytes == 0 || descriptor.begin >= granted ||
      descriptor.bytes > granted - descriptor.begin) {
    return absl::DataLossError(
        absl::StrCat("the peer lent ", descriptor.bytes, " bytes at ", descriptor.begin,
                     " of its payload area, of which ", granted,
                     " bytes are granted; nothing it says can be trusted now"));
  }
  if (!entries_reserved_.load(std::memory_order_relaxed)) {
    const absl::Span<const char> entries(reinterpret_cast<const char*>(entries_.data()),
                                         entries_.size() * sizeof(entries_[0]));
    if (absl::Status status = pages_.Reserve(entries); !status.ok()) return status;
    entries_reserved_.store(true, std::memory_order_relaxed);
  }
  const absl::Span<char> bytes = area_.subspan(descriptor.begin, descriptor.bytes);
  view_.Acquire(bytes);
  CopyCounters::OfProcess().loans_held.Add();
  borrowed_bytes_.Add(bytes.size());
  return Loan(shared_from_this(), bytes);
}

bool BlockBorrower::Asked() const {
  // relaxed: a hint; Answer() loads it again.
  return limit_ != nullptr && owner_->wanted.load(std::memory_order_relaxed) !=
                                  answered_.load(std::memory_order_relaxed);
}

void BlockBorrower::Answer() {
  if (!Asked()) return;
  absl::MutexLock lock(mu_);
  // Matched by the release store in GrantedLimit::Ask().
  const uint64_t wanted = owner_->wanted.load(std::memory_order_acquire);
  const uint64_t last = answered_.exchange(wanted, std::memory_order_relaxed);
  if (NumberOf(wanted) == NumberOf(last)) return;
  const auto all = static_cast<uint32_t>(AreaPages(area_.size()));
  const uint32_t pages = std::min(PagesOf(wanted), all);
  auto granted = static_cast<uint32_t>(granted_bytes_.load(std::memory_order_relaxed) / kPageBytes);
  if (pages > granted) {
    granted = std::clamp(limit_->Grow(pages), granted, pages);
  } else if (pages < granted && pages_.may_give_back() && limit_->Shrink(pages)) {
    granted = pages;
    // The peer has done so, or the pages would stay on our account. Those of a peer that is not
    // trusted may stay there, so it keeps its share of the budget.
    pages_.GiveBack(area_.subspan(size_t{granted} * kPageBytes));
  }
  granted_bytes_.store(size_t{granted} * kPageBytes, std::memory_order_relaxed);
  // Matched by the acquire load in GrantedLimit::Answered().
  granted_word_->store(NumberedPages(NumberOf(wanted), std::min(granted, pages)),
                       std::memory_order_release);
}

void BlockBorrower::Loan::Return() {
  if (borrower_ == nullptr) return;
  borrower_->Return(bytes_.data());
  borrower_.reset();
  bytes_ = {};
}

void BlockBorrower::Return(const char* begin) {
  const auto page = static_cast<uint32_t>((begin - area_.data()) / kPageBytes);
  {
    absl::MutexLock lock(mu_);
    // relaxed: the release below publishes it. The owner has read what was here before: it
    // does not lend more than there are entries. (One that does loses its own returns.)
    view_.Store(entries_[returned_ % entries_.size()], page, std::memory_order_relaxed);
    // Matched by the acquire load in BlockPool::TakeBackLocked(): our reads come first.
    view_.Store(*returned_word_, ++returned_, std::memory_order_release);
  }
  CopyCounters::OfProcess().loans_held.Add(-1);
}

}  // namespace grpc_cxl::internal
