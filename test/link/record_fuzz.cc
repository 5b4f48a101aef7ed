// SPDX-License-Identifier: Apache-2.0
// Fuzzes the parser of records: whatever bytes a hostile peer writes into the ring and
// whatever loans they name, in whatever portions they become visible, the reader gives out
// pieces of the ring and of the peer's area or ends with DATA_LOSS, and takes every byte that
// has come, so that a polling thread comes to rest.

#include <cstddef>
#include <cstdint>
#include <deque>
#include <string>
#include <string_view>
#include <utility>
#include <variant>

#include "absl/log/check.h"
#include "absl/status/status.h"
#include "absl/types/span.h"
#include "grpc_cxl/link/record_layout.h"
#include "grpc_cxl/link/record_reader.h"
#include "test/fuzz/fuzz_input.h"
#include "test/link/link_pair.h"

namespace grpc_cxl::internal {
namespace {

constexpr size_t kRing = 4 << 10;
constexpr size_t kPayload = 16 << 10;

// Reads what there is; false after DATA_LOSS.
bool ReadAll(Link& link, RecordReader& reader, FuzzInput& input,
             std::deque<BlockBorrower::Loan>& kept) {
  for (;;) {
    absl::StatusOr<RecordReader::Piece> piece = reader.Next();
    if (!piece.ok()) {
      CHECK(absl::IsDataLoss(piece.status())) << piece.status();
      CHECK(absl::IsDataLoss(reader.Next().status())) << "the next call forgot it";
      return false;
    }
    if (std::holds_alternative<std::monostate>(*piece)) break;
    if (const auto* in_ring = std::get_if<absl::Span<const char>>(&*piece)) {
      CHECK(!in_ring->empty() && in_ring->size() <= kRing);
      const std::string touched(in_ring->begin(), in_ring->end());
      reader.Consume(1 + input.TakeUpTo(in_ring->size() - 1));
    } else {
      auto& loan = std::get<BlockBorrower::Loan>(*piece);
      CHECK(!loan.bytes().empty() && loan.bytes().size() <= kPayload);
      const std::string touched(loan.bytes().begin(), loan.bytes().end());
      kept.push_back(std::move(loan));
      if (kept.size() > 3) kept.pop_front();
    }
  }
  CHECK(!link.MaybeReadable()) << "bytes are left lying";
  return true;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  FuzzInput input(data, size);
  LinkPair pair(kRing, kPayload);
  RecordReader reader(pair.server.get());
  std::deque<BlockBorrower::Loan> kept;
  while (!input.empty()) {
    const auto word = [&](uint64_t near) { return static_cast<uint32_t>(input.TakeWord(near)); };
    const auto write = [&](const void* bytes, size_t size) {
      CHECK_OK(pair.client->Write({static_cast<const char*>(bytes), size}));
    };
    uint32_t words[2] = {};
    std::string_view bytes;
    switch (input.TakeUpTo(4)) {
      case 0:  // a record in the ring, maybe with too many or too few bytes
        words[0] = word(10);
        write(words, 4);
        bytes = input.TakeBytes(10);
        write(bytes.data(), bytes.size());
        break;
      case 1:  // a loan
        words[0] = kLentBit | word(kPayload);
        words[1] = word(0);
        write(words, 8);
        break;
      case 2:  // anything
        bytes = input.TakeBytes(input.TakeUpTo(20));
        write(bytes.data(), bytes.size());
        break;
      case 3:
        pair.client->Publish();
        break;
      default:
        if (!ReadAll(*pair.server, reader, input, kept)) return 0;
    }
  }
  pair.client->Publish();
  ReadAll(*pair.server, reader, input, kept);
  return 0;
}

}  // namespace grpc_cxl::internal
