// SPDX-License-Identifier: Apache-2.0
#ifndef GRPC_CXL_LINK_RECORD_WRITER_H_
#define GRPC_CXL_LINK_RECORD_WRITER_H_

#include <cstddef>

#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "grpc_cxl/blocks/block_layout.h"
#include "grpc_cxl/link/link.h"

namespace grpc_cxl::internal {

// Writes a stream of bytes into a link as records (record_layout.h); its twin, RecordReader,
// lives in the peer's process. A record is written whole or not at all. The link's Publish()
// and WantSpace() are the caller's.
//
// A writer of the link: one thread at a time.
class RecordWriter {
 public:
  // `link` must outlive this object.
  explicit RecordWriter(Link* link) : link_(*link) {}

  // How many of `wanted` (at least 1) bytes a record in the ring can take now; 0: wait for
  // space. DATA_LOSS when the peer broke the ring.
  absl::StatusOr<size_t> FreeSpace(size_t wanted);
  // Begins a record of `bytes`, which are at least 1 and which FreeSpace() allowed; all of them
  // must follow, in any number of pieces.
  void Begin(size_t bytes);
  void Append(absl::Span<const char> bytes);

  // Whether a record of lent bytes fits. DATA_LOSS as above.
  absl::StatusOr<bool> HasSpaceForLoan();
  // REQUIRES: HasSpaceForLoan().
  void WriteLoan(BlockDescriptor descriptor);

 private:
  Link& link_;
};

}  // namespace grpc_cxl::internal

#endif  // GRPC_CXL_LINK_RECORD_WRITER_H_
