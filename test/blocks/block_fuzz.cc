// Fuzzes what a hostile peer can do to the owner of blocks: it writes whatever it likes into
// the return ring at any moment, while the owner allocates, holds, lends and takes back. Every
// step ends OK or with DATA_LOSS; no two blocks that are held overlap; and what is held when
// the connection is lost can still be let go.

#include <cstddef>
#include <cstdint>
#include <utility>
#include <vector>

#include "absl/log/check.h"
#include "absl/status/status.h"
#include "test/blocks/block_pair.h"
#include "test/fuzz/fuzz_input.h"

namespace grpc_cxl::internal {
namespace {

constexpr size_t kPages = 8;

bool Fine(const absl::Status& status) {
  CHECK(status.ok() || status.code() == absl::StatusCode::kDataLoss) << status;
  return status.ok();
}

class Owner {
 public:
  bool Allocate(size_t bytes, size_t least) {
    absl::StatusOr<BlockPool::Block> block = pair_.pool->Allocate(bytes, least);
    if (!Fine(block.status())) return false;
    if (!*block) return true;
    CHECK_GE(block->memory().size(), least);
    for (const BlockPool::Block& other : blocks_) {
      CHECK(block->memory().end() <= other.memory().begin() ||
            other.memory().end() <= block->memory().begin())
          << "two blocks overlap";
    }
    blocks_.push_back(*std::move(block));
    return true;
  }
  void Lend(FuzzInput& input) {
    if (blocks_.empty()) return;
    const absl::Span<char> memory = blocks_[input.TakeUpTo(blocks_.size() - 1)].memory();
    const size_t begin = input.TakeUpTo(memory.size() - 1);
    const size_t bytes = 1 + input.TakeUpTo(memory.size() - begin - 1);
    const auto lent = pair_.pool->Lend(memory.subspan(begin, bytes));
    if (lent.has_value()) CHECK_OK(pair_.borrower->Borrow(*lent));  // and returned at once
  }
  void LetGo(FuzzInput& input) {
    if (blocks_.empty()) return;
    std::swap(blocks_[input.TakeUpTo(blocks_.size() - 1)], blocks_.back());
    blocks_.pop_back();
  }
  bool TakeBack() { return Fine(pair_.pool->TakeBack()); }

  // What the peer does.
  void Scribble(FuzzInput& input) {
    BlockPair::Memory& words = pair_.words();
    switch (input.TakeUpTo(2)) {
      case 0:
        words.returns.returned.store(input.TakeWord(words.returns.returned.load()));
        break;
      case 1:
        words.entries[input.TakeUpTo(kPages - 1)].store(
            static_cast<uint32_t>(input.TakeWord(kPages)));
        break;
      default:
        words.owner.pages_in_use.store(input.TakeWord(0));
    }
  }
  void Borrow(FuzzInput& input) {
    const BlockDescriptor descriptor{static_cast<uint32_t>(input.TakeWord(kPages * kPageBytes)),
                                     input.Take<uint32_t>()};
    const absl::StatusOr<BlockBorrower::Loan> loan = pair_.borrower->Borrow(descriptor);
    if (!Fine(loan.status())) return;
    volatile char sink = 0;
    for (const char byte : loan->bytes()) sink = sink ^ byte;
  }

 private:
  BlockPair pair_{kPages};
  std::vector<BlockPool::Block> blocks_;
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  FuzzInput input(data, size);
  Owner owner;
  bool useful = true;
  while (useful && !input.empty()) {
    switch (input.TakeUpTo(6)) {
      case 0:
      case 1: {
        const size_t bytes = 1 + input.TakeUpTo(kPages * kPageBytes);
        useful = owner.Allocate(bytes, 1 + input.TakeUpTo(bytes - 1));
        break;
      }
      case 2:
        owner.Lend(input);
        break;
      case 3:
        owner.LetGo(input);
        break;
      case 4:
        useful = owner.TakeBack();
        break;
      case 5:
        owner.Borrow(input);
        break;
      default:
        owner.Scribble(input);
    }
  }
  return 0;
}

}  // namespace grpc_cxl::internal
