// SPDX-License-Identifier: Apache-2.0
#include "grpc_cxl/link/record_reader.h"

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <utility>

#include "absl/log/check.h"
#include "grpc_cxl/base/shared_word.h"

namespace grpc_cxl::internal {
namespace {

uint32_t WordAt(const char* bytes) {
  uint32_t word;
  memcpy(&word, bytes, sizeof(word));
  return word;
}

}  // namespace

absl::StatusOr<RecordReader::Piece> RecordReader::Next() {
  if (!broken_.ok()) return broken_;
  for (;;) {
    const absl::StatusOr<size_t> readable = link_.Readable();
    if (!readable.ok()) return readable.status();
    const absl::Span<const char> front = link_.Front();
    if (front.empty()) return Piece();
    if (left_in_ring_ > 0) return Piece(front.subspan(0, left_in_ring_));
    if (have_ == 0 && front.size() > kRecordHeaderBytes) {
      // The usual case: the word in one piece and the bytes behind it. Both are given back at
      // once.
      const uint32_t word = ReadOnce(front.data());
      if ((word & kLentBit) == 0 && word != 0) {
        left_in_ring_ = word;
        not_consumed_ = kRecordHeaderBytes;
        return Piece(front.subspan(kRecordHeaderBytes, left_in_ring_));
      }
    }
    // Takes what has come, even if the word is not whole: a polling thread would not come to rest
    // while bytes are left in the ring.
    const size_t needed = have_ < kRecordHeaderBytes ? kRecordHeaderBytes : kLentRecordBytes;
    const size_t bytes = std::min(front.size(), needed - have_);
    memcpy(words_ + have_, front.data(), bytes);
    have_ += bytes;
    link_.Consume(bytes);
    if (have_ < needed) continue;
    absl::StatusOr<Piece> piece = Understand();
    if (!piece.ok()) broken_ = piece.status();
    if (!piece.ok() || !std::holds_alternative<std::monostate>(*piece)) return piece;
  }
}

absl::StatusOr<RecordReader::Piece> RecordReader::Understand() {
  const uint32_t word = WordAt(words_);
  if (word == 0) {
    return absl::DataLossError(
        "the peer wrote an empty record; nothing it says can be trusted now");
  }
  if ((word & kLentBit) == 0) {
    left_in_ring_ = word;
    have_ = 0;
    return Piece();
  }
  if (have_ < kLentRecordBytes) return Piece();
  have_ = 0;
  if (link_.borrower() == nullptr) {
    return absl::DataLossError(
        "the peer lent bytes although no payload blocks were agreed; nothing it says can be "
        "trusted now");
  }
  absl::StatusOr<BlockBorrower::Loan> loan = link_.borrower()->Borrow(
      {.begin = WordAt(words_ + kRecordHeaderBytes), .bytes = word & ~kLentBit});
  if (!loan.ok()) return loan.status();
  return Piece(*std::move(loan));
}

void RecordReader::Consume(size_t bytes) {
  CHECK(bytes >= 1 && bytes <= left_in_ring_) << "more consumed than was there";
  left_in_ring_ -= bytes;
  link_.Consume(std::exchange(not_consumed_, 0) + bytes);
}

}  // namespace grpc_cxl::internal
