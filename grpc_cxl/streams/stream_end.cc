// SPDX-License-Identifier: Apache-2.0
#include "grpc_cxl/streams/stream_end.h"

#include "grpc_cxl/doorbell/full_fence.h"

namespace grpc_cxl::internal {
namespace {

// The words of a side, as they lie in its slots.
struct SideWords {
  RingWriterWords* tx;
  RingReaderWords* rx;
};

SideWords WordsOf(const StreamMemory& memory, StreamSide side, int slot) {
  if (side == StreamSide::kClient) {
    StreamClientSlot& words = memory.client_slot(slot);
    return {&words.tx, &words.rx};
  }
  StreamServerSlot& words = memory.server_slot(slot);
  return {&words.tx, &words.rx};
}

StreamSide OtherThan(StreamSide side) {
  return side == StreamSide::kClient ? StreamSide::kServer : StreamSide::kClient;
}

absl::Span<char> RingFrom(const StreamMemory& memory, StreamSide side, int slot) {
  return side == StreamSide::kClient ? memory.ring_to_server(slot) : memory.ring_to_client(slot);
}

}  // namespace

StreamRings::StreamRings(const StreamMemory& memory, StreamSide side, int slot)
    : tx(WordsOf(memory, side, slot).tx, WordsOf(memory, OtherThan(side), slot).rx,
         RingFrom(memory, side, slot), memory.view, memory.pages),
      rx(WordsOf(memory, side, slot).rx, WordsOf(memory, OtherThan(side), slot).tx,
         RingFrom(memory, OtherThan(side), slot), memory.view) {}

absl::Status AllStreamRings::Make(const StreamMemory& memory, StreamSide side) {
  if (!rings_.empty()) return absl::OkStatus();
  const auto* const words = side == StreamSide::kClient
                                ? reinterpret_cast<const char*>(&memory.client_slot(0))
                                : reinterpret_cast<const char*>(&memory.server_slot(0));
  static_assert(sizeof(StreamClientSlot) == sizeof(StreamServerSlot));
  if (absl::Status status =
          memory.pages.Reserve(absl::MakeConstSpan(words, kStreamSlots * sizeof(StreamClientSlot)));
      !status.ok()) {
    return status;
  }
  for (size_t i = 0; i < kStreamSlots; ++i) {
    rings_.emplace_back(memory, side, static_cast<int>(i));
  }
  made_.store(true, std::memory_order_release);  // matched by made()
  return absl::OkStatus();
}

bool AllStreamRings::MayRest() const {
  if (!made()) return false;
  for (const StreamRings& rings : rings_) {
    if (rings.tx.MayRest()) return true;
  }
  return false;
}

BytesThroughRings BytesOf(const StreamMemory& memory, StreamSide side) {
  BytesThroughRings bytes;
  for (size_t i = 0; i < kStreamSlots; ++i) {
    const SideWords words = WordsOf(memory, side, static_cast<int>(i));
    // relaxed, both: our own words, and figures by themselves.
    bytes.out += words.tx->head.load(std::memory_order_relaxed);
    bytes.in += words.rx->tail.load(std::memory_order_relaxed);
  }
  return bytes;
}

absl::Status StreamEnd::Write(StreamRecord kind, absl::Span<const absl::Span<const char>> pieces) {
  bool published = false;
  absl::Status status = writer_.Write(kind, pieces, &published);
  if (published) Tell();
  return status;
}

absl::Status StreamEnd::Flush() {
  bool published = false;
  absl::Status status = writer_.Flush(&published);
  if (published) Tell();
  return status;
}

absl::StatusOr<bool> StreamEnd::Next(StreamItem* record) {
  bool consumed = false;
  absl::StatusOr<bool> complete = reader_.Next(record, &consumed);
  if (consumed) {
    FullFence();  // matched by the one in StreamWriter::Flush()
    if (rings_.rx.WriterWantsWake()) Tell();
  }
  return complete;
}

}  // namespace grpc_cxl::internal
