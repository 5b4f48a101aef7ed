// SPDX-License-Identifier: Apache-2.0
#include "grpc_cxl/endpoint/drainable_endpoint.h"

#include <grpc/event_engine/slice.h>
#include <grpc/slice.h>

#include <cstdint>

#include "absl/types/span.h"

namespace grpc_cxl::internal {
namespace {

using grpc_event_engine::experimental::Slice;
using grpc_event_engine::experimental::SliceBuffer;

// RFC 9113, section 6.8. The text shows where gRPC says why a call ended.
constexpr absl::string_view kGoAwayText = "grpc_cxl: a server of this host";

Slice GoAway() {
  std::string frame("\0\0\0\x07\0\0\0\0\0\x7f\xff\xff\xff\0\0\0\0", 17);
  frame[2] = static_cast<char>(8 + kGoAwayText.size());
  frame.append(kGoAwayText);
  return Slice::FromCopiedString(frame);
}

absl::Span<const uint8_t> BytesOf(const Slice& slice) { return {slice.data(), slice.size()}; }

void InsertAt(SliceBuffer& buffer, size_t offset, Slice slice) {
  SliceBuffer result;
  buffer.MoveFirstNBytesIntoSliceBuffer(offset, result);
  result.Append(std::move(slice));
  buffer.MoveFirstNBytesIntoSliceBuffer(buffer.Length(), result);
  buffer.Swap(result);
}

}  // namespace

bool DrainableReads::Drain() {
  Callback on_read;
  {
    absl::MutexLock lock(mu_);
    if (drain_ != kOpen) return false;
    drain_ = kWanted;
    on_read = OvertakeInner();
  }
  if (on_read) Finish(std::move(on_read), absl::OkStatus());
  return true;
}

bool DrainableReads::Read(EventEngine::Endpoint& inner, Callback on_read, SliceBuffer* buffer,
                          const EventEngine::Endpoint::ReadArgs& args) {
  {
    absl::MutexLock lock(mu_);
    if (result_.has_value()) {
      const absl::Status status = *std::exchange(result_, std::nullopt);
      if (status.ok()) {
        Deliver(buffer);
        return true;
      }
      Finish(std::move(on_read), status);
      return false;
    }
    on_read_ = std::move(on_read);
    buffer_ = buffer;
    if (inner_pending_) return false;  // overtaken by the GOAWAY
    inner_pending_ = true;
    ++starting_;
  }
  const bool done = inner.Read(
      [self = shared_from_this()](absl::Status status) { self->OnInnerRead(std::move(status)); },
      &data_, args);
  Callback ended;
  {
    absl::MutexLock lock(mu_);
    --starting_;
    if (done) {
      inner_pending_ = false;
      Deliver(std::exchange(buffer_, nullptr));
      ended = std::exchange(on_read_, nullptr);  // not to be called
      return true;
    }
    ended = OvertakeInner();
  }
  if (ended) Finish(std::move(ended), absl::OkStatus());
  return false;
}

void DrainableReads::OnInnerRead(absl::Status status) {
  Callback on_read;
  {
    absl::MutexLock lock(mu_);
    inner_pending_ = false;
    if (!on_read_) {
      result_ = std::move(status);
      return;
    }
    on_read = std::exchange(on_read_, nullptr);
    SliceBuffer* const buffer = std::exchange(buffer_, nullptr);
    if (status.ok()) Deliver(buffer);
  }
  on_read(std::move(status));
}

void DrainableReads::Deliver(SliceBuffer* buffer) {
  buffer->Swap(data_);
  data_.Clear();
  if (drain_ == kDrained || !frames_.IsHttp2()) return;
  const bool wanted = drain_ == kWanted;
  size_t offset = 0;
  bool found = wanted && frames_.MayInsert();
  for (size_t i = 0; i < buffer->Count() && !found; ++i) {
    const absl::Span<const uint8_t> bytes = BytesOf((*buffer)[i]);
    offset += frames_.Walk(bytes, wanted);
    found = wanted && frames_.MayInsert();
  }
  if (!found) return;
  InsertAt(*buffer, offset, GoAway());
  drain_ = kDrained;
}

DrainableReads::Callback DrainableReads::OvertakeInner() {
  if (drain_ != kWanted || starting_ > 0 || !on_read_ || !frames_.MayInsert()) return nullptr;
  buffer_->Append(GoAway());
  buffer_ = nullptr;
  drain_ = kDrained;
  return std::exchange(on_read_, nullptr);
}

void DrainableReads::Finish(Callback on_read, absl::Status status) {
  executor_->Run([on_read = std::move(on_read), status = std::move(status)]() mutable {
    on_read(std::move(status));
  });
}

}  // namespace grpc_cxl::internal
