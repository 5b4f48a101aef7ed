// SPDX-License-Identifier: Apache-2.0
#include "grpc_cxl/link/record_writer.h"

#include <algorithm>
#include <cstdint>
#include <cstring>

#include "absl/log/check.h"
#include "grpc_cxl/link/record_layout.h"

namespace grpc_cxl::internal {

absl::StatusOr<size_t> RecordWriter::FreeSpace(size_t wanted) {
  wanted = std::min<size_t>(wanted, kLentBit - 1);
  const absl::StatusOr<size_t> space = link_.FreeSpace(kRecordHeaderBytes + wanted);
  if (!space.ok()) return space.status();
  return std::min(wanted, *space - std::min(*space, kRecordHeaderBytes));
}

void RecordWriter::Begin(size_t bytes) {
  CHECK(bytes >= 1 && bytes < kLentBit);
  const auto word = static_cast<uint32_t>(bytes);
  char header[kRecordHeaderBytes];
  memcpy(header, &word, sizeof(word));
  Append(header);
}

void RecordWriter::Append(absl::Span<const char> bytes) {
  const absl::StatusOr<size_t> written = link_.Write(bytes);
  // Neither can fail: the space was seen before, and the peer's index is not read again.
  CHECK(written.ok() && *written == bytes.size()) << "a record larger than the free space";
}

absl::StatusOr<bool> RecordWriter::HasSpaceForLoan() {
  const absl::StatusOr<size_t> space = link_.FreeSpace(kLentRecordBytes);
  if (!space.ok()) return space.status();
  return *space >= kLentRecordBytes;
}

void RecordWriter::WriteLoan(BlockDescriptor descriptor) {
  CHECK(descriptor.bytes >= 1 && descriptor.bytes < kLentBit);
  const uint32_t words[] = {kLentBit | descriptor.bytes, descriptor.begin};
  char record[kLentRecordBytes];
  static_assert(sizeof(words) == sizeof(record));
  memcpy(record, words, sizeof(words));
  Append(record);
}

}  // namespace grpc_cxl::internal
