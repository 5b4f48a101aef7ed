// SPDX-License-Identifier: Apache-2.0
#include "grpc_cxl/streams/stream_pipe.h"

#include <algorithm>
#include <cstring>
#include <utility>

#include "absl/strings/str_cat.h"
#include "grpc_cxl/blocks/block_layout.h"
#include "grpc_cxl/doorbell/full_fence.h"

namespace grpc_cxl::internal {

absl::StatusOr<size_t> StreamWriter::WriteToRing(absl::Span<const char> bytes) {
  absl::StatusOr<size_t> written = ring_->Write(bytes);
  starved_ = absl::IsResourceExhausted(written.status());
  if (starved_) return 0;
  return written;
}

absl::Status StreamWriter::Put(absl::Span<const char> bytes) {
  if (empty()) {
    const absl::StatusOr<size_t> written = WriteToRing(bytes);
    if (!written.ok()) return written.status();
    bytes.remove_prefix(*written);
  }
  rest_.append(bytes.data(), bytes.size());
  return absl::OkStatus();
}

absl::Status StreamWriter::Write(StreamRecord kind, absl::Span<const absl::Span<const char>> pieces,
                                 bool* published) {
  if (empty()) Clear();
  size_t bytes = 0;
  for (const absl::Span<const char> piece : pieces) bytes += piece.size();
  if (bytes > UINT32_MAX) {
    return absl::ResourceExhaustedError("a message above 4 GiB cannot be sent in a stream");
  }
  const StreamRecordHead head{static_cast<uint32_t>(kind), static_cast<uint32_t>(bytes)};
  absl::Status status = Put({reinterpret_cast<const char*>(&head), sizeof(head)});
  for (const absl::Span<const char> piece : pieces) {
    if (status.ok()) status = Put(piece);
  }
  if (!status.ok()) return status;
  if (kind == StreamRecord::kBlock) {
    BlockDescriptor block{};
    memcpy(&block, pieces[0].data(), std::min(sizeof(block), pieces[0].size()));
    blocks_.push_back({ring_->position() + rest_.size() - sent_, block});
    unread_ += block.bytes;
  }
  if (!ready()) return Flush(published);
  if (ring_->Publish() > 0) *published = true;
  return absl::OkStatus();
}

absl::Status StreamWriter::GoOn() {
  if (!empty()) {
    const absl::StatusOr<size_t> written = WriteToRing(absl::MakeConstSpan(rest_).subspan(sent_));
    if (!written.ok()) return written.status();
    sent_ += *written;
  }
  // relaxed: nothing is read or overwritten for it. A peer that lies stops its own stream, or gets
  // more blocks than it ought to.
  const uint64_t tail = view_.Load(peer_->tail, std::memory_order_relaxed);
  while (!blocks_.empty() && static_cast<int64_t>(tail - blocks_.front().end) >= 0) {
    unread_ -= blocks_.front().block.bytes;
    blocks_.pop_front();
  }
  return absl::OkStatus();
}

uint64_t StreamWriter::WantedTail() const {
  uint64_t left = unread_;
  for (const Block& block : blocks_) {
    left -= block.block.bytes;
    if (left <= kMostUnread / 2) return block.end;
  }
  return ring_->position();
}

std::vector<BlockDescriptor> StreamWriter::unfinished_blocks() const {
  std::vector<BlockDescriptor> unfinished;
  for (const Block& block : blocks_) {
    if (static_cast<int64_t>(block.end - ring_->position()) > 0) unfinished.push_back(block.block);
  }
  return unfinished;
}

absl::Status StreamWriter::Flush(bool* published) {
  if (absl::Status status = GoOn(); !status.ok()) return status;
  if (!ready()) {
    const size_t bytes =
        empty() ? WantedTail() + ring_->capacity() - ring_->position() : ring_->capacity() / 2;
    ring_->WantSpace(std::clamp<size_t>(bytes, 1, ring_->capacity()));
    FullFence();  // matched by the one before WriterWantsWake(): it sees the wish, or we the space
    if (absl::Status status = GoOn(); !status.ok()) return status;
  }
  if (ready()) {
    Clear();
    ring_->ClearWantSpace();
  }
  if (ring_->Publish() > 0) *published = true;
  return absl::OkStatus();
}

absl::Status StreamReader::CheckHead() {
  const auto broken = [](absl::string_view how) {
    return absl::DataLossError(absl::StrCat("the peer broke the protocol of streams: ", how));
  };
  switch (static_cast<StreamRecord>(head_.kind)) {
    case StreamRecord::kMessage:
      if (head_.bytes > most_bytes_) skip_ = head_.bytes;
      return absl::OkStatus();
    case StreamRecord::kBlock:
      if (head_.bytes != sizeof(BlockDescriptor)) return broken("a block's record has its size");
      return absl::OkStatus();
    case StreamRecord::kHead:
    case StreamRecord::kEnd:
      if (head_.bytes > kMostStreamHeadBytes) return broken("a head is too large");
      return absl::OkStatus();
  }
  return broken(absl::StrCat("there is no record of kind ", head_.kind));
}

absl::StatusOr<bool> StreamReader::Next(StreamItem* record, bool* consumed) {
  if (!broken_.ok()) return broken_;
  absl::StatusOr<bool> complete = Read(record, consumed);
  broken_.Update(complete.status());
  return complete;
}

absl::StatusOr<bool> StreamReader::Read(StreamItem* record, bool* consumed) {
  for (;;) {
    const bool has_head = head_bytes_ == sizeof(head_);
    if (has_head && skip_ == 0 && bytes_.size() == head_.bytes) break;
    const absl::StatusOr<size_t> readable = ring_->Readable();
    if (!readable.ok()) return readable.status();
    if (*readable == 0) return false;
    absl::Span<const char> front = ring_->Front();
    front = front.first(std::min<uint64_t>(front.size(), look_ends_at_ - ring_->position()));
    if (front.empty()) return false;
    size_t taken;
    if (!has_head) {
      taken = std::min(front.size(), sizeof(head_) - head_bytes_);
      memcpy(reinterpret_cast<char*>(&head_) + head_bytes_, front.data(), taken);
      head_bytes_ += taken;
    } else if (skip_ > 0) {
      taken = std::min<uint64_t>(front.size(), skip_);
      skip_ -= taken;
    } else {
      taken = std::min<size_t>(front.size(), head_.bytes - bytes_.size());
      bytes_.append(front.data(), taken);
    }
    ring_->Consume(taken);
    *consumed = true;
    if (!has_head && head_bytes_ == sizeof(head_)) {
      if (absl::Status status = CheckHead(); !status.ok()) return status;
    }
    if (has_head && skip_ == 0 && head_.bytes > 0 && bytes_.empty()) {
      // All of a message that is too large has passed.
      *record = {.kind = StreamRecord::kMessage, .bytes = {}, .too_large = head_.bytes};
      head_bytes_ = 0;
      return true;
    }
  }
  *record = {.kind = static_cast<StreamRecord>(head_.kind), .bytes = std::exchange(bytes_, {})};
  head_bytes_ = 0;
  return true;
}

}  // namespace grpc_cxl::internal
