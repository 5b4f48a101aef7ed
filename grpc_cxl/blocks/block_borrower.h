// SPDX-License-Identifier: Apache-2.0
#ifndef GRPC_CXL_BLOCKS_BLOCK_BORROWER_H_
#define GRPC_CXL_BLOCKS_BLOCK_BORROWER_H_

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <utility>

#include "absl/base/thread_annotations.h"
#include "absl/status/statusor.h"
#include "absl/synchronization/mutex.h"
#include "absl/types/span.h"
#include "grpc_cxl/arena/arena_pages.h"
#include "grpc_cxl/base/counter.h"
#include "grpc_cxl/blocks/area_limit.h"
#include "grpc_cxl/blocks/block_layout.h"
#include "grpc_cxl/coherence/shared_view.h"

namespace grpc_cxl::internal {

// How much of an area may be lent to its borrower. By default all of it.
struct BlockGrant {
  ArenaPages pages{};
  // Pages to begin with, and how to grant others; null: all.
  uint32_t begin_pages = 0;
  std::unique_ptr<AreaLimit> limit{};
  SharedU64* granted = nullptr;  // where to say so; with a limit
};

// The borrower's side of one direction's blocks; its twin, BlockPool, lives in the peer's
// process. Turns the peer's descriptors into memory, and gives it back when the last user is
// done, whenever that is: the borrower lives as long as its last loan, long after the
// connection if need be, and keeps the memory mapped.
//
// Lent bytes stay under the peer's hands. An honest one leaves them alone until they are
// returned; under a hostile one they may change, so copy what must not change between a
// check and its use.
//
// Thread-safe; owned by a shared_ptr.
class BlockBorrower : public std::enable_shared_from_this<BlockBorrower> {
 public:
  // Bytes on loan; given back by the destructor, on any thread. Move-only.
  class Loan {
   public:
    Loan() = default;
    Loan(Loan&& other) noexcept { *this = std::move(other); }
    Loan& operator=(Loan&& other) noexcept {
      if (this != &other) {
        Return();
        borrower_ = std::exchange(other.borrower_, nullptr);
        bytes_ = std::exchange(other.bytes_, {});
      }
      return *this;
    }
    ~Loan() { Return(); }

    absl::Span<char> bytes() const { return bytes_; }

   private:
    friend class BlockBorrower;
    Loan(std::shared_ptr<BlockBorrower> borrower, absl::Span<char> bytes)
        : borrower_(std::move(borrower)), bytes_(bytes) {}
    void Return();

    std::shared_ptr<BlockBorrower> borrower_;
    absl::Span<char> bytes_;
  };

  // `memory` keeps all the other arguments mapped; `area` is the peer's, whose words are `owner`;
  // `entries` has one entry for each of its pages. `returned` is our count.
  BlockBorrower(std::shared_ptr<const void> memory, absl::Span<char> area, SharedU64* returned,
                const BlockOwnerWords* owner, absl::Span<BlockReturnEntry> entries,
                SharedView view = {}, BlockGrant grant = {});

  // The loan that `descriptor`, a private copy of the peer's words, describes. DATA_LOSS when it
  // is not inside the part of the peer's area that is granted, RESOURCE_EXHAUSTED when there is no
  // memory to return it later. To be called once for each descriptor that comes.
  absl::StatusOr<Loan> Borrow(BlockDescriptor descriptor);

  // Bytes borrowed so far.
  uint64_t borrowed_bytes() const { return borrowed_bytes_; }

  // Whether the peer wants more or less of its area than before, and the answer. A hint: one load.
  bool Asked() const;
  void Answer();

 private:
  void Return(const char* begin);

  const std::shared_ptr<const void> memory_;
  const absl::Span<char> area_;
  SharedU64* const returned_word_;
  const absl::Span<BlockReturnEntry> entries_;
  const SharedView view_;
  const BlockOwnerWords* const owner_;
  const ArenaPages pages_;
  const std::unique_ptr<AreaLimit> limit_;
  SharedU64* const granted_word_;
  // Bytes that may be lent. relaxed: a peer that lends from a larger part has acquired our answer.
  std::atomic<size_t> granted_bytes_;
  std::atomic<uint64_t> answered_{0};          // relaxed: the last question, of Answer() alone
  std::atomic<bool> entries_reserved_{false};  // relaxed: to reserve them twice does no harm

  Counter borrowed_bytes_;

  absl::Mutex mu_;
  uint64_t returned_ ABSL_GUARDED_BY(mu_);
};

}  // namespace grpc_cxl::internal

#endif  // GRPC_CXL_BLOCKS_BLOCK_BORROWER_H_
