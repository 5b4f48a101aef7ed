// SPDX-License-Identifier: Apache-2.0
#include "grpc_cxl/endpoint/slice_sender.h"

#include <algorithm>
#include <cstring>
#include <optional>

#include "grpc_cxl/blocks/block_pool.h"
#include "grpc_cxl/blocks/copy_counters.h"

namespace grpc_cxl::internal {
namespace {

// Bytes copied into the ring before they are published: few enough that both sides work on a
// large message at once, enough that publishing costs nothing beside the copy.
constexpr size_t kStride = 64 << 10;

}  // namespace

absl::StatusOr<bool> SliceSender::Send(SliceBuffer& data) {
  size_t unpublished = 0;
  while (slice_ < data.Count()) {
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
  const bool in_place = IsInPlace(Current(data));
  // Up to a slice that may go another way.
  size_t run = Current(data).size();
  for (size_t next = slice_ + 1; !in_place && next < data.Count(); ++next) {
    if (IsInPlace(BytesOf(data, next))) break;
    run += data[next].size();
  }
  if (link_.pool() == nullptr || run < kBlockThreshold) return SendThroughRing(data, run);

  const absl::StatusOr<bool> room = records_.HasSpaceForLoan();
  if (!room.ok()) return room.status();
  if (!*room) return 0;
  absl::StatusOr<size_t> sent = in_place ? SendInPlace(data) : SendByBlock(data, run);
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

absl::StatusOr<size_t> SliceSender::SendByBlock(SliceBuffer& data, size_t run) {
  BlockPool& pool = *link_.pool();
  const absl::StatusOr<BlockPool::Block> block = pool.Allocate(run, kBlockThreshold);
  if (!block.ok()) return block.status();
  if (!*block) return 0;
  const absl::Span<char> memory = block->memory().subspan(0, std::min(run, block->memory().size()));
  const size_t slice = slice_, offset = offset_;
  for (absl::Span<char> left = memory; !left.empty();) {
    const absl::Span<const char> bytes = Current(data).subspan(0, left.size());
    if (!bytes.empty()) memcpy(left.data(), bytes.data(), bytes.size());
    left.remove_prefix(bytes.size());
    Advance(data, bytes.size());
  }
  const std::optional<BlockDescriptor> lent = pool.Lend(memory);
  if (!lent.has_value()) {
    slice_ = slice;  // nothing was sent
    offset_ = offset;
    return 0;
  }
  records_.WriteLoan(*lent);
  CopyCounters::OfProcess().sent_by_block.Add(memory.size());
  return memory.size();
}

absl::StatusOr<size_t> SliceSender::SendThroughRing(SliceBuffer& data, size_t run) {
  const absl::StatusOr<size_t> room = records_.FreeSpace(std::min(run, kStride));
  if (!room.ok() || *room == 0) return room;
  records_.Begin(*room);
  for (size_t left = *room; left > 0;) {
    const absl::Span<const char> bytes = Current(data).subspan(0, left);
    if (!bytes.empty()) records_.Append(bytes);
    left -= bytes.size();
    Advance(data, bytes.size());
  }
  CopyCounters::OfProcess().sent_by_ring.Add(*room);
  return *room;
}

absl::Span<const char> SliceSender::BytesOf(SliceBuffer& data, size_t slice) {
  return {reinterpret_cast<const char*>(data[slice].data()), data[slice].size()};
}

absl::Span<const char> SliceSender::Current(SliceBuffer& data) const {
  return BytesOf(data, slice_).subspan(offset_);
}

void SliceSender::Advance(SliceBuffer& data, size_t bytes) {
  offset_ += bytes;
  if (offset_ < data[slice_].size()) return;
  ++slice_;
  offset_ = 0;
}

bool SliceSender::IsInPlace(absl::Span<const char> bytes) const {
  return bytes.size() >= kBlockThreshold && link_.pool() != nullptr &&
         link_.pool()->Contains(bytes);
}

}  // namespace grpc_cxl::internal
