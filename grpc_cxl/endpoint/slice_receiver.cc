// SPDX-License-Identifier: Apache-2.0
#include "grpc_cxl/endpoint/slice_receiver.h"

#include <grpc/slice.h>

#include <algorithm>
#include <cstring>
#include <utility>
#include <variant>

#include "absl/types/span.h"
#include "grpc_cxl/blocks/block_borrower.h"
#include "grpc_cxl/blocks/block_pool.h"
#include "grpc_cxl/blocks/copy_counters.h"
#include "grpc_cxl/coherence/fence.h"

namespace grpc_cxl::internal {
namespace {

using grpc_event_engine::experimental::Slice;

// The largest slice made of bytes of the ring: the allocator serves this size without asking
// the kernel.
constexpr size_t kMostCopied = 64 << 10;

Slice Copy(absl::Span<const char> bytes) {
  grpc_slice slice = grpc_slice_malloc(bytes.size());
  memcpy(GRPC_SLICE_START_PTR(slice), bytes.data(), bytes.size());
  return Slice(slice);
}

// A slice that ends the loan when it is destroyed.
Slice Wrap(BlockBorrower::Loan loan) {
  const absl::Span<char> bytes = loan.bytes();
  const auto destroy = [](void* held) { delete static_cast<BlockBorrower::Loan*>(held); };
  return Slice(grpc_slice_new_with_user_data(bytes.data(), bytes.size(), destroy,
                                             new BlockBorrower::Loan(std::move(loan))));
}

}  // namespace

absl::StatusOr<bool> SliceReceiver::Receive(SliceBuffer* buffer) {
  size_t received = 0;
  // Until all that is known of is read: to learn of more may be a trip to memory, which is the
  // polling thread's.
  while (received < link_.ring_bytes() && (received == 0 || link_.MaybeReadable())) {
    absl::StatusOr<RecordReader::Piece> piece = records_.Next();
    if (!piece.ok()) {
      if (received > 0) break;
      return piece.status();
    }
    if (const auto* in_ring = std::get_if<absl::Span<const char>>(&*piece)) {
      const absl::Span<const char> bytes =
          in_ring->subspan(0, std::min(kMostCopied, link_.ring_bytes() - received));
      buffer->Append(Copy(bytes));
      records_.Consume(bytes.size());
      received += bytes.size();
      CopyCounters::OfProcess().received_from_ring.Add(bytes.size());
    } else if (auto* loan = std::get_if<BlockBorrower::Loan>(&*piece)) {
      const size_t bytes = loan->bytes().size();
      received += bytes;
      if (trust_peer_ && bytes >= kBlockThreshold) {
        buffer->Append(Wrap(std::move(*loan)));
        CopyCounters::OfProcess().received_in_place.Add(bytes);
      } else {
        buffer->Append(Copy(loan->bytes()));
        CopyCounters::OfProcess().received_from_block.Add(bytes);
      }
    } else {
      break;
    }
  }
  if (received > 0 && !link_.view().Holds()) return NoLongerOurs();
  return received > 0;
}

}  // namespace grpc_cxl::internal
