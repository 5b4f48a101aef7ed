// SPDX-License-Identifier: Apache-2.0
#include "grpc_cxl/blocks/block_borrower.h"

#include "absl/log/check.h"
#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "grpc_cxl/blocks/copy_counters.h"

namespace grpc_cxl::internal {

BlockBorrower::BlockBorrower(std::shared_ptr<const void> memory, absl::Span<char> area,
                             BlockReturnWords* mine, absl::Span<BlockReturnEntry> entries,
                             SharedView view)
    : memory_(std::move(memory)),
      area_(area),
      mine_(mine),
      entries_(entries),
      view_(view),
      // relaxed: only this process writes it.
      returned_(mine->returned.load(std::memory_order_relaxed)) {
  CHECK(!area.empty() && IsAreaSize(area.size())) << "an area of " << area.size() << " bytes";
  CHECK_EQ(entries.size(), AreaPages(area.size()));
}

absl::StatusOr<BlockBorrower::Loan> BlockBorrower::Borrow(BlockDescriptor descriptor) {
  if (descriptor.bytes == 0 || descriptor.begin >= area_.size() ||
      descriptor.bytes > area_.size() - descriptor.begin) {
    return absl::DataLossError(absl::StrCat("the peer lent ", descriptor.bytes, " bytes at ",
                                            descriptor.begin, " of its payload area, which has ",
                                            area_.size(),
                                            " bytes; nothing it says can be trusted now"));
  }
  const absl::Span<char> bytes = area_.subspan(descriptor.begin, descriptor.bytes);
  view_.Acquire(bytes);
  CopyCounters::OfProcess().loans_held.Add();
  return Loan(shared_from_this(), bytes);
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
    view_.Store(mine_->returned, ++returned_, std::memory_order_release);
  }
  CopyCounters::OfProcess().loans_held.Add(-1);
}

}  // namespace grpc_cxl::internal
