// SPDX-License-Identifier: Apache-2.0
#ifndef GRPC_CXL_LINK_RECORD_READER_H_
#define GRPC_CXL_LINK_RECORD_READER_H_

#include <cstddef>
#include <variant>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "grpc_cxl/blocks/block_borrower.h"
#include "grpc_cxl/link/link.h"
#include "grpc_cxl/link/record_layout.h"

namespace grpc_cxl::internal {

// Reads a stream of bytes from a link's records (record_layout.h); its twin, RecordWriter,
// lives in the peer's process.
//
// The peer may be hostile: a record that cannot be is DATA_LOSS, now and at every later call;
// the connection is of no more use.
//
// A reader of the link: one thread at a time.
class RecordReader {
 public:
  // The next bytes of the stream: none yet; some in the ring, to be given back with
  // Consume(); or some on loan.
  using Piece = std::variant<std::monostate, absl::Span<const char>, BlockBorrower::Loan>;

  // `link` must outlive this object.
  explicit RecordReader(Link* link) : link_(*link) {}

  absl::StatusOr<Piece> Next();
  // To be called once after each piece in the ring, with at least 1 byte and at most all of
  // its bytes.
  void Consume(size_t bytes);

 private:
  // Decodes the record whose words have been read.
  absl::StatusOr<Piece> Understand();

  Link& link_;
  absl::Status broken_;
  char words_[kLentRecordBytes];
  size_t have_ = 0;          // bytes of words_ that have come
  size_t left_in_ring_ = 0;  // bytes of the current record that are still to come
  size_t not_consumed_ = 0;  // bytes before the piece that Next() returned
};

}  // namespace grpc_cxl::internal

#endif  // GRPC_CXL_LINK_RECORD_READER_H_
