#ifndef GRPC_CXL_TEST_BLOCKS_BLOCK_PAIR_H_
#define GRPC_CXL_TEST_BLOCKS_BLOCK_PAIR_H_

#include <cstddef>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <new>
#include <utility>

#include "absl/types/span.h"
#include "grpc_cxl/blocks/block_borrower.h"
#include "grpc_cxl/blocks/block_layout.h"
#include "grpc_cxl/blocks/block_pool.h"
#include "test/coherence/test_view.h"

namespace grpc_cxl::internal {

// Both sides of one direction's blocks, over memory of this process. All shared words are in
// the hands of the test.
struct BlockPair {
  // The image; what each side sees of it is its TestView's.
  struct Memory {
    explicit Memory(size_t pages)
        : bytes(Zeroed(Bytes(pages))),
          area(bytes.get(), pages * kPageBytes),
          entries(reinterpret_cast<BlockReturnEntry*>(area.end()), pages),
          owner(*new (area.end() + ReturnBytes(area.size())) BlockOwnerWords{}),
          returns(*new (&owner + 1) BlockReturnWords{}) {}
    static char* Zeroed(size_t bytes) {
      return static_cast<char*>(memset(aligned_alloc(kPageBytes, bytes), 0, bytes));
    }
    static size_t Bytes(size_t pages) {
      return (pages + 1) * kPageBytes + ReturnBytes(pages * kPageBytes);
    }
    struct Free {
      void operator()(char* bytes) const { free(bytes); }
    };

    const std::unique_ptr<char, Free> bytes;
    const absl::Span<char> area;
    const absl::Span<BlockReturnEntry> entries;
    BlockOwnerWords& owner;
    BlockReturnWords& returns;
    const TestView owning{{bytes.get(), Bytes(AreaPages(area.size()))}};
    const TestView borrowing{{bytes.get(), Bytes(AreaPages(area.size()))}};
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
      : pool(std::make_shared<BlockPool>(
            memory, memory->owning.At(memory->area), memory->owning.At(&memory->owner),
            memory->owning.At(&memory->returns),
            memory->owning.At(absl::Span<const BlockReturnEntry>(memory->entries)),
            memory->owning.view())),
        borrower(std::make_shared<BlockBorrower>(
            memory, memory->borrowing.At(memory->area), memory->borrowing.At(&memory->returns),
            memory->borrowing.At(memory->entries), memory->borrowing.view())),
        memory_(std::move(memory)) {}

 public:
  std::shared_ptr<BlockPool> pool;
  std::shared_ptr<BlockBorrower> borrower;

 private:
  std::shared_ptr<Memory> memory_;
};

}  // namespace grpc_cxl::internal

#endif  // GRPC_CXL_TEST_BLOCKS_BLOCK_PAIR_H_
