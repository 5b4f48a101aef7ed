#ifndef GRPC_CXL_TEST_BLOCKS_BLOCK_PAIR_H_
#define GRPC_CXL_TEST_BLOCKS_BLOCK_PAIR_H_

#include <cstddef>
#include <memory>
#include <vector>

#include "absl/types/span.h"
#include "grpc_cxl/blocks/block_borrower.h"
#include "grpc_cxl/blocks/block_layout.h"
#include "grpc_cxl/blocks/block_pool.h"

namespace grpc_cxl {

// Both sides of one direction's blocks, over memory of this process. All shared words are in
// the hands of the test.
struct BlockPair {
  struct Memory {
    explicit Memory(size_t pages) : area(pages), entries(pages) {}
    struct alignas(kBlockPageBytes) Page {
      char bytes[kBlockPageBytes];
    };
    std::vector<Page> area;
    std::vector<BlockReturnEntry> entries;
    BlockOwnerWords owner{};
    BlockReturnWords returns{};
  };

  explicit BlockPair(size_t pages) : BlockPair(std::make_shared<Memory>(pages)) {}

  Memory& words() const { return *memory_; }
  // The memory, whether or not it is still there.
  std::weak_ptr<Memory> memory() const { return memory_; }
  // Lets go of everything but what blocks and loans hold.
  void Drop() {
    pool.reset();
    borrower.reset();
    memory_.reset();
  }

 private:
  explicit BlockPair(std::shared_ptr<Memory> memory)
      : pool(std::make_shared<BlockPool>(memory, Area(*memory), &memory->owner, &memory->returns,
                                         absl::MakeConstSpan(memory->entries))),
        borrower(std::make_shared<BlockBorrower>(memory, Area(*memory), &memory->returns,
                                                 absl::MakeSpan(memory->entries))),
        memory_(std::move(memory)) {}

  static absl::Span<char> Area(Memory& memory) {
    return {memory.area.data()->bytes, memory.area.size() * kBlockPageBytes};
  }

 public:
  std::shared_ptr<BlockPool> pool;
  std::shared_ptr<BlockBorrower> borrower;

 private:
  std::shared_ptr<Memory> memory_;
};

}  // namespace grpc_cxl

#endif  // GRPC_CXL_TEST_BLOCKS_BLOCK_PAIR_H_
