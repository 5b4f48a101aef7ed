#include "grpc_cxl/event_engine/slice_sender.h"

#include <algorithm>
#include <cstring>
#include <optional>

#include "grpc_cxl/blocks/block_pool.h"
#include "grpc_cxl/blocks/payload_totals.h"

namespace grpc_cxl {
namespace {

using grpc_event_engine::experimental::Slice;
using grpc_event_engine::experimental::SliceBuffer;

// Bytes copied into the ring before the other side is told: small enough that both work at
// once on a large message, large enough that telling costs nothing beside the copy.
constexpr size_t kStride = 64 << 10;

absl::Span<const char> BytesOf(const Slice& slice) {
  return {reinterpret_cast<const char*>(slice.data()), slice.size()};
}

}  // namespace

absl::StatusOr<bool> SliceSender::Send(SliceBuffer& data) {
  size_t unpublished = 0;
  bool room = true;
  while (room && slice_ < data.Count()) {
    const absl::Span<const char> current = Current(data);
    if (current.empty()) {
      Advance(data, 0);
      continue;
    }
    absl::StatusOr<size_t> sent = 0;
    if (GoesByBlock(current.size())) {
      const absl::StatusOr<bool> fits = records_.HasRoomForLoan();
      if (!fits.ok()) return fits.status();
      room = *fits;
      if (room) sent = SendLoan(current);
      // Nothing: there is no block. It must go on all the same.
      if (room && sent.ok() && *sent == 0) {
        sent = SendThroughRing(data);
        if (sent.ok()) Count(Totals().sent_for_want_of_blocks, *sent);
      }
    } else {
      sent = SendThroughRing(data);
    }
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

absl::StatusOr<size_t> SliceSender::SendLoan(absl::Span<const char> bytes) {
  BlockPool& pool = *link_.pool();
  if (pool.Contains(bytes)) {
    const std::optional<BlockDescriptor> lent = pool.Lend(bytes);
    if (!lent.has_value()) return 0;
    records_.WriteLoan(*lent);
    Count(Totals().sent_in_place, bytes.size());
    ++slice_;
    offset_ = 0;
    return bytes.size();
  }
  absl::StatusOr<BlockPool::Block> block = pool.Allocate(bytes.size(), kBlockThreshold);
  if (!block.ok()) return block.status();
  if (!*block) return 0;
  const absl::Span<char> filled =
      block->memory().subspan(0, std::min(bytes.size(), block->memory().size()));
  const std::optional<BlockDescriptor> lent = pool.Lend(filled);
  if (!lent.has_value()) return 0;
  memcpy(filled.data(), bytes.data(), filled.size());
  records_.WriteLoan(*lent);
  Count(Totals().sent_by_block, filled.size());
  offset_ += filled.size();
  if (filled.size() == bytes.size()) {
    ++slice_;
    offset_ = 0;
  }
  return filled.size();
}

absl::StatusOr<size_t> SliceSender::SendThroughRing(SliceBuffer& data) {
  // One record for all that follows, up to a slice that may go another way.
  size_t wanted = Current(data).size();
  for (size_t next = slice_ + 1; next < data.Count() && wanted < kStride; ++next) {
    if (GoesByBlock(data[next].size())) break;
    wanted += data[next].size();
  }
  const absl::StatusOr<size_t> room = records_.Room(std::min(wanted, kStride));
  if (!room.ok() || *room == 0) return room;
  records_.Begin(*room);
  for (size_t left = *room; left > 0;) {
    absl::Span<const char> bytes = Current(data);
    bytes = bytes.subspan(0, left);
    if (!bytes.empty()) records_.Append(bytes);
    left -= bytes.size();
    Advance(data, bytes.size());
  }
  Count(Totals().sent_by_ring, *room);
  return *room;
}

absl::Span<const char> SliceSender::Current(SliceBuffer& data) const {
  return BytesOf(data[slice_]).subspan(offset_);
}

void SliceSender::Advance(SliceBuffer& data, size_t bytes) {
  offset_ += bytes;
  if (offset_ < data[slice_].size()) return;
  ++slice_;
  offset_ = 0;
}

bool SliceSender::GoesByBlock(size_t bytes) const {
  return bytes >= kBlockThreshold && link_.pool() != nullptr;
}

}  // namespace grpc_cxl
