// SPDX-License-Identifier: Apache-2.0
#include "grpc_cxl/payload/block_slices.h"

#include <cstdint>
#include <utility>

#include "absl/status/status.h"
#include "absl/types/span.h"
#include "grpc_cxl/blocks/copy_counters.h"

namespace grpc_cxl::internal {
namespace {

// A block for `bytes`; an empty one when none is free. That the peer has broken the return
// ring, the endpoint finds out and says.
BlockPool::Block Allocate(const CallBlocks& blocks, size_t bytes, Priority priority) {
  if (blocks.pool == nullptr || bytes == 0) return {};
  absl::StatusOr<BlockPool::Block> block = blocks.pool->Allocate(bytes, priority);
  BlockPool::Block allocated = block.ok() ? *std::move(block) : BlockPool::Block();
  if (!allocated) CopyCounters::OfProcess().sent_for_want_of_blocks.Add(bytes);
  return allocated;
}

}  // namespace

std::optional<BlockDescriptor> LendMessage(const CallBlocks& blocks,
                                           const google::protobuf::Message& message, size_t bytes,
                                           Priority priority) {
  const BlockPool::Block block = Allocate(blocks, bytes, priority);
  if (!block) return std::nullopt;
  const absl::Span<char> memory = block.memory().subspan(0, bytes);
  auto* const begin = reinterpret_cast<uint8_t*>(memory.data());
  // Unequal when another thread changes the message meanwhile; gRPC will say so.
  if (message.SerializeWithCachedSizesToArray(begin) != begin + bytes) return std::nullopt;
  const std::optional<BlockDescriptor> lent = blocks.pool->Lend(memory);
  if (lent.has_value()) CopyCounters::OfProcess().sent_in_place.Add(bytes);
  return lent;
}

std::optional<BlockDescriptor> LendSlices(const CallBlocks& blocks,
                                          const std::vector<grpc::Slice>& slices, size_t bytes,
                                          Priority priority) {
  if (blocks.pool != nullptr && slices.size() == 1) {
    const auto there = absl::MakeConstSpan(reinterpret_cast<const char*>(slices[0].begin()), bytes);
    if (blocks.pool->Contains(there)) {
      const std::optional<BlockDescriptor> lent = blocks.pool->Lend(there);
      if (lent.has_value()) CopyCounters::OfProcess().sent_in_place.Add(bytes);
      return lent;
    }
  }
  const BlockPool::Block block = Allocate(blocks, bytes, priority);
  if (!block) return std::nullopt;
  char* end = block.memory().data();
  for (const grpc::Slice& slice : slices) {
    blocks.pool->Copy(end, {reinterpret_cast<const char*>(slice.begin()), slice.size()});
    end += slice.size();
  }
  const std::optional<BlockDescriptor> lent = blocks.pool->Lend(block.memory().subspan(0, bytes));
  if (lent.has_value()) CopyCounters::OfProcess().sent_by_block.Add(bytes);
  return lent;
}

absl::StatusOr<grpc::Slice> BorrowSlice(const CallBlocks& blocks, BlockDescriptor descriptor) {
  if (blocks.borrower == nullptr) {
    return absl::DataLossError("the peer lent a block, but none were agreed");
  }
  absl::StatusOr<BlockBorrower::Loan> loan = blocks.borrower->Borrow(descriptor);
  if (!loan.ok()) return loan.status();
  const absl::Span<char> bytes = loan->bytes();
  if (!blocks.trust_peer || bytes.size() < kBlockThreshold) {
    CopyCounters::OfProcess().received_from_block.Add(bytes.size());
    return grpc::Slice(bytes.data(), bytes.size());  // a copy
  }
  CopyCounters::OfProcess().received_in_place.Add(bytes.size());
  const auto destroy = [](void* held) { delete static_cast<BlockBorrower::Loan*>(held); };
  return grpc::Slice(bytes.data(), bytes.size(), destroy,
                     new BlockBorrower::Loan(*std::move(loan)));
}

absl::Status ReturnUnread(const CallBlocks& blocks, BlockDescriptor descriptor) {
  if (descriptor.bytes == 0) return absl::OkStatus();
  if (blocks.borrower == nullptr) {
    return absl::DataLossError("the peer lent a block, but none were agreed");
  }
  return blocks.borrower->Borrow(descriptor).status();  // the loan ends with this statement
}

}  // namespace grpc_cxl::internal
