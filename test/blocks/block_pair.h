// SPDX-License-Identifier: Apache-2.0
#ifndef GRPC_CXL_TEST_BLOCKS_BLOCK_PAIR_H_
#define GRPC_CXL_TEST_BLOCKS_BLOCK_PAIR_H_

#include <cstddef>
#include <memory>
#include <utility>
#include <vector>

#include "absl/log/check.h"
#include "absl/types/span.h"
#include "grpc_cxl/blocks/block_borrower.h"
#include "grpc_cxl/blocks/block_layout.h"
#include "grpc_cxl/blocks/block_pool.h"
#include "test/coherence/test_view.h"

namespace grpc_cxl::internal {

// Both sides of one direction's blocks in one process, each with a view of its own. All shared
// words are in the hands of the test, which plays a hostile side by writing them.
struct BlockPair {
  struct Memory {
    explicit Memory(size_t pages)
        : image(pages + ReturnBytes(pages * kPageBytes) / kPageBytes + 1),
          area(image[0].bytes, pages * kPageBytes),
          entries(reinterpret_cast<BlockReturnEntry*>(image[pages].bytes), pages) {}

    struct alignas(kPageBytes) Page {
      char bytes[kPageBytes] = {};
    };
    std::vector<Page> image;
    const absl::Span<char> area;
    const absl::Span<BlockReturnEntry> entries;
    BlockOwnerWords& owner = *reinterpret_cast<BlockOwnerWords*>(image.back().bytes);
    BlockReturnWords& returns = *reinterpret_cast<BlockReturnWords*>(&owner + 1);
    const TestView owning{{area.data(), image.size() * kPageBytes}};
    const TestView borrowing{{area.data(), image.size() * kPageBytes}};
  };

  explicit BlockPair(size_t pages) : memory(std::make_shared<Memory>(pages)) {
    const TestView &owning = memory->owning, &borrowing = memory->borrowing;
    pool = std::make_shared<BlockPool>(
        memory, owning.At(memory->area), owning.At(&memory->owner),
        owning.At(&memory->returns.returned),
        owning.At(absl::Span<const BlockReturnEntry>(memory->entries)), owning.view());
    borrower = std::make_shared<BlockBorrower>(
        memory, borrowing.At(memory->area), borrowing.At(&memory->returns.returned),
        borrowing.At(&memory->owner), borrowing.At(memory->entries), borrowing.view());
  }

  // A block of whole pages, or an empty one.
  BlockPool::Block Take(size_t bytes) {
    absl::StatusOr<BlockPool::Block> block = pool->Allocate(bytes);
    CHECK_OK(block);
    return *std::move(block);
  }

  std::shared_ptr<Memory> memory;
  std::shared_ptr<BlockPool> pool;
  std::shared_ptr<BlockBorrower> borrower;
};

}  // namespace grpc_cxl::internal

#endif  // GRPC_CXL_TEST_BLOCKS_BLOCK_PAIR_H_
