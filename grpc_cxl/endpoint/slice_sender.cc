// SPDX-License-Identifier: Apache-2.0
#include "grpc_cxl/endpoint/slice_sender.h"

#include <algorithm>
#include <cstdint>
#include <optional>

#include "grpc_cxl/blocks/block_pool.h"
#include "grpc_cxl/blocks/copy_counters.h"

namespace grpc_cxl::internal {
namespace {

// Bytes copied into the ring before they are published: few enough that both sides work on a
// large message at once, enough that publishing costs nothing beside the copy.
constexpr size_t kStride = 64 << 10;

}  // namespace

absl::StatusOr<bool> SliceSender::Send(SliceBuffer& data, bool in_turns) {
  size_t unpublished = 0;
  turn_left_ = in_turns ? kTurnBytes : SIZE_MAX;
  paused_ = false;
  while (slice_ < data.Count()) {
    paused_ = turn_left_ == 0;
    if (paused_) break;
    if (Current(data).empty()) {
      Advance(data, 0);
      continue;
    }
    const absl::StatusOr<size_t> sent = SendSome(data);
    if (!sent.ok()) return sent.status();
    if (*sent == 0) break;
    unpublished += *sent;
    if (unpublished >= kStride) {
      link_.Publish();
      unpublished = 0;
    }
  }
  link_.Publish();
  return slice_ == data.Count();
}

absl::StatusOr<size_t> SliceSender::SendSome(SliceBuffer& data) {
  size_t run = Current(data).size();
  if (!IsLarge(run)) {
    // Headers and frames never share a block with a message: HTTP/2 may keep them for long.
    for (size_t next = slice_ + 1; next < data.Count() && !IsLarge(data[next].size()); ++next) {
      run += data[next].size();
    }
    return SendThroughRing(data, run);
  }

  const absl::StatusOr<bool> space = records_.HasSpaceForLoan();
  if (!space.ok()) return space.status();
  if (!*space) return 0;
  absl::StatusOr<size_t> sent =
      link_.pool()->Contains(Current(data)) ? SendInPlace(data) : SendByBlock(data);
  if (!sent.ok() || *sent > 0) return sent;
  // No block is free: slower, but it goes on.
  sent = SendThroughRing(data, run);
  if (sent.ok()) CopyCounters::OfProcess().sent_for_want_of_blocks.Add(*sent);
  return sent;
}

absl::StatusOr<size_t> SliceSender::SendInPlace(SliceBuffer& data) {
  const absl::Span<const char> bytes = Current(data);
  const std::optional<BlockDescriptor> lent = link_.pool()->Lend(bytes);
  if (!lent.has_value()) return 0;
  records_.WriteLoan(*lent);
  Advance(data, bytes.size());
  CopyCounters::OfProcess().sent_in_place.Add(bytes.size());
  return bytes.size();
}

absl::StatusOr<size_t> SliceSender::SendByBlock(SliceBuffer& data) {
  BlockPool& pool = *link_.pool();
  const absl::Span<const char> slice =
      Current(data).subspan(0, std::max(turn_left_, kBlockThreshold));
  const absl::StatusOr<BlockPool::Block> block = pool.Allocate(slice.size(), kBlockThreshold);
  if (!block.ok()) return block.status();
  if (!*block) return 0;
  const absl::Span<char> memory = block->memory().subspan(0, slice.size());
  pool.Copy(memory.data(), slice.subspan(0, memory.size()));
  const std::optional<BlockDescriptor> lent = pool.Lend(memory);
  if (!lent.has_value()) return 0;
  records_.WriteLoan(*lent);
  Advance(data, memory.size());
  CopyCounters::OfProcess().sent_by_block.Add(memory.size());
  Copied(memory.size());
  return memory.size();
}

absl::StatusOr<size_t> SliceSender::SendThroughRing(SliceBuffer& data, size_t run) {
  const absl::StatusOr<size_t> space = records_.FreeSpace(std::min(run, kStride));
  if (!space.ok() || *space == 0) return space;
  records_.Begin(*space);
  for (size_t left = *space; left > 0;) {
    const absl::Span<const char> bytes = Current(data).subspan(0, left);
    if (!bytes.empty()) records_.Append(bytes);
    left -= bytes.size();
    Advance(data, bytes.size());
  }
  CopyCounters::OfProcess().sent_by_ring.Add(*space);
  Copied(*space);
  return *space;
}

absl::Span<const char> SliceSender::Current(SliceBuffer& data) const {
  const auto& slice = data[slice_];
  return absl::MakeConstSpan(reinterpret_cast<const char*>(slice.data()), slice.size())
      .subspan(offset_);
}

void SliceSender::Advance(SliceBuffer& data, size_t bytes) {
  offset_ += bytes;
  if (offset_ < data[slice_].size()) return;
  ++slice_;
  offset_ = 0;
}

bool SliceSender::IsLarge(size_t bytes) const {
  return bytes >= kBlockThreshold && link_.pool() != nullptr;
}

}  // namespace grpc_cxl::internal
