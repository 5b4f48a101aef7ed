// SPDX-License-Identifier: Apache-2.0
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
  CHECK(status.ok() || absl::IsDataLoss(status)) << status;
  return status.ok();
}

bool Allocate(BlockPair& pair, std::vector<BlockPool::Block>& held, FuzzInput& input) {
  const size_t bytes = 1 + input.TakeUpTo(kPages * kPageBytes);
  const size_t least = 1 + input.TakeUpTo(bytes - 1);
  absl::StatusOr<BlockPool::Block> block = pair.pool->Allocate(bytes, least);
  if (!Fine(block.status()) || !*block) return block.ok();
  CHECK_GE(block->memory().size(), least);
  for (const BlockPool::Block& other : held) {
    CHECK(block->memory().end() <= other.memory().begin() ||
          other.memory().end() <= block->memory().begin())
        << "two blocks overlap";
  }
  held.push_back(*std::move(block));
  return true;
}

// A part of it, which is returned at once.
void Lend(BlockPair& pair, const BlockPool::Block& block, FuzzInput& input) {
  const absl::Span<char> memory = block.memory();
  const size_t begin = input.TakeUpTo(memory.size() - 1);
  const size_t bytes = 1 + input.TakeUpTo(memory.size() - begin - 1);
  const auto lent = pair.pool->Lend(memory.subspan(begin, bytes));
  if (lent.has_value()) CHECK_OK(pair.borrower->Borrow(*lent));
}

void Borrow(BlockPair& pair, FuzzInput& input) {
  const auto begin = static_cast<uint32_t>(input.TakeWord(kPages * kPageBytes));
  const auto loan = pair.borrower->Borrow({begin, input.Take<uint32_t>()});
  if (!Fine(loan.status())) return;
  volatile char sink = 0;
  for (const char byte : loan->bytes()) sink = sink ^ byte;
}

void Scribble(BlockPair::Memory& words, FuzzInput& input) {
  switch (input.TakeUpTo(2)) {
    case 0:
      words.returns.returned = input.TakeWord(words.returns.returned);
      break;
    case 1:
      words.entries[input.TakeUpTo(kPages - 1)] = static_cast<uint32_t>(input.TakeWord(kPages));
      break;
    default:
      words.owner.pages_in_use = input.TakeWord(0);
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  FuzzInput input(data, size);
  BlockPair pair(kPages);
  std::vector<BlockPool::Block> held;
  for (bool useful = true; useful && !input.empty();) {
    switch (input.TakeUpTo(6)) {
      case 0:
      case 1:
        useful = Allocate(pair, held, input);
        break;
      case 2:
        if (!held.empty()) Lend(pair, held[input.TakeUpTo(held.size() - 1)], input);
        break;
      case 3:
        if (!held.empty()) held.erase(held.begin() + input.TakeUpTo(held.size() - 1));
        break;
      case 4:
        useful = Fine(pair.pool->TakeBack());
        break;
      case 5:
        Borrow(pair, input);
        break;
      default:
        Scribble(*pair.memory, input);
    }
  }
  return 0;
}

}  // namespace grpc_cxl::internal
