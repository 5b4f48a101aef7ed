// SPDX-License-Identifier: Apache-2.0

// How a stream goes on: what the records from the server mean for the batches that wait.

#include <grpc/event_engine/event_engine.h>

#include <algorithm>
#include <cstring>
#include <iterator>
#include <utility>

#include "grpc_cxl/blocks/block_pool.h"
#include "grpc_cxl/direct/stream_call.h"
#include "grpc_cxl/direct/stream_status.h"

namespace grpc_cxl::internal {

using grpc_event_engine::experimental::GetDefaultEventEngine;

void StreamCall::Advance(Then* then) {
  bool again;
  do {
    UseStream(then);
    Decide(then);
    NoteEnd(then);
    given_ = false;
    for (auto operation = operations_.begin(); operation != operations_.end();) {
      const auto next = std::next(operation);
      if (!operation->done.load(std::memory_order_relaxed) && Complete(*operation)) {
        if (operation->in_place) {
          // relaxed: its thread looks once more, with the lock.
          operation->done.store(true, std::memory_order_relaxed);
          if (parked_ > 0 && stream_ != nullptr) stream_->WakeParked();
        } else {
          then->proceed.push_back(operation->methods);
          operations_.erase(operation);
        }
      }
      operation = next;
    }
    if ((result_.ended() || decided_ == Path::kHttp2) && timer_ != TaskHandle::kInvalid) {
      then->timer = std::exchange(timer_, TaskHandle::kInvalid);
    }
    // Behind a message that was taken there may be another record.
    again = given_;
    again |= UpdateWaiter();
  } while (again);
  if (stream_ != nullptr && !broken_ && stream_->starved()) FlushLater();
}

void StreamCall::FlushLater() {
  if (std::exchange(flushes_later_, true)) return;
  GetDefaultEventEngine()->RunAfter(StreamEnd::kStarvedPause, [weak = weak_from_this()] {
    const auto self = weak.lock();
    if (self == nullptr) return;
    {
      absl::MutexLock lock(self->mu_);
      self->flushes_later_ = false;
    }
    self->OnNews();
  });
}

bool StreamCall::UpdateWaiter() {
  if (stream_ == nullptr) return false;
  const bool polled = !is_sync_ || result_.ended() ||
                      (decided_ == Path::kUndecided && !begins_in_place_) ||
                      std::any_of(operations_.begin(), operations_.end(),
                                  [](const Operation& operation) { return !operation.in_place; });
  const uint32_t bits = (polled ? kStreamPolled : 0) | (parked_ > 0 ? kStreamParked : 0);
  if (bits == waiter_) return false;
  const bool more = (bits & ~std::exchange(waiter_, bits)) != 0;
  stream_->SetWaiter(bits);
  return more;
}

void StreamCall::UseStream(Then* then) {
  if (stream_ == nullptr || broken_) return;
  const uint32_t news = stream_->news();  // before the state that it tells of
  const StreamState state = stream_->state();
  // Also behind kTaken: a server that sees `cancelled` just then refuses after all.
  if (state == StreamState::kRefused) {
    if (cancelled_ || decided_ != Path::kUndecided) {
      result_.End(cancelled_
                      ? StreamCancelled()
                      : StreamUnavailable("the server took no more calls on this connection"));
    }
    return CloseRefused(then);
  }
  if (state != StreamState::kNone) taken_ = true;
  if (!confirmed_ && taken_ && news != news_at_first_) {
    confirmed_ = true;
    untaken_.clear();
  }
  if (!stream_->ready()) {
    absl::Status written = stream_->Flush();
    if (!written.ok()) return Break(std::move(written), then);
  }
  Read(then);
}

bool StreamCall::LeavesMessages() const {
  if (cancelled_) return true;
  bool status = false;
  for (const Operation& operation : operations_) {
    if (operation.message) return false;
    status |= operation.status;
  }
  return status && is_sync_;
}

bool StreamCall::WantsRecord() const {
  if (result_.ended() || LeavesMessages()) return true;
  bool receives = false;
  for (const Operation& operation : operations_) {
    // Messages that nobody reads must not hide the status for ever.
    if (operation.status && stream_->state() == StreamState::kEnded) return true;
    receives |= (operation.initial_metadata && !result_.has_initial_metadata()) ||
                operation.message || operation.status;
  }
  return receives && !result_.has_message();
}

void StreamCall::Read(Then* then) {
  stream_->BeginLook();
  while (stream_ != nullptr && !broken_ && WantsRecord()) {
    StreamItem record;
    const absl::StatusOr<bool> complete = stream_->Next(&record);
    if (!complete.ok()) return Break(complete.status(), then);
    if (!*complete) return;
    Take(std::move(record), then);
  }
}

void StreamCall::LimitMessage(const StreamItem& record) {
  uint64_t bytes = record.too_large;
  if (record.kind == StreamRecord::kBlock) {
    BlockDescriptor block;
    memcpy(&block, record.bytes.data(), sizeof(block));
    bytes = block.bytes;
  }
  if (bytes > max_receive_bytes_) {
    EndHere(StreamMessageTooLarge("Received", bytes, max_receive_bytes_));
  }
}

void StreamCall::NoteMessage(const StreamItem& record) {
  if (result_.ended()) return;
  size_t bytes = record.bytes.size();
  if (record.kind == StreamRecord::kBlock) {
    BlockDescriptor block;
    memcpy(&block, record.bytes.data(), sizeof(block));
    bytes = block.bytes;
  } else if (record.kind != StreamRecord::kMessage) {
    return;
  }
  route_->counters->streams.messages_in.Add();
  if (observed_ != nullptr) observed_->Received(bytes);
}

void StreamCall::NoteEnd(Then* then) {
  if (!result_.ended() || decided_ != Path::kDirect || std::exchange(noted_, true)) return;
  route_->counters->streams.Ended(static_cast<uint32_t>(result_.status().error_code()));
  if (observed_ == nullptr) return;
  if (!posted_) observed_->BeganStream();  // no server was told
  then->over = std::move(observed_);
  then->status = result_.status();
}

void StreamCall::Take(StreamItem record, Then* then) {
  const bool is_end = record.kind == StreamRecord::kEnd;
  LimitMessage(record);
  if (record.too_large > 0) return;
  NoteMessage(record);
  absl::Status taken = result_.Take(std::move(record), route_->blocks);
  if (absl::IsResourceExhausted(taken)) {
    if (!is_end) stream_->Cancel();
  } else if (!taken.ok()) {
    return Break(std::move(taken), then);
  }
  if (LeavesMessages()) result_.DropMessages();
  if (is_end) Close(then);
}

bool StreamCall::Complete(Operation& operation) {
  if (operation.send) {
    if (result_.ended()) {
      if (operation.message_out) operation.methods->FailHijackedSendMessage();
      return true;
    }
    return stream_ == nullptr || stream_->ready();
  }
  if (operation.initial_metadata) {
    if (!result_.has_initial_metadata() && !result_.ended()) return false;
    result_.GiveInitialMetadata(operation.methods);
    operation.initial_metadata = false;
  }
  if (operation.message) {
    if (!result_.has_message() && !result_.ended()) return false;
    result_.GiveMessage(operation.methods, *types_.response);
    operation.message = false;
    given_ = true;
  }
  if (operation.status) {
    // Over HTTP/2, too, messages that nobody has read hold an OK back.
    if (!result_.ended() || (result_.has_message() && result_.status().ok() && !is_sync_)) {
      return false;
    }
    result_.GiveStatus(operation.methods);
    operation.status = false;
  }
  return true;
}

void StreamCall::EndHere(grpc::Status status) {
  if (result_.ended()) return;
  result_.End(std::move(status));
  if (stream_ != nullptr && !broken_) stream_->Cancel();
}

void StreamCall::RevokeUntaken() {
  for (const BlockDescriptor& block : untaken_) route_->blocks.pool->Revoke(block);
  untaken_.clear();
}

void StreamCall::CloseRefused(Then* then) {
  RevokeUntaken();
  CloseStream(then);
}

void StreamCall::Close(Then* then) {
  for (const BlockDescriptor& block : stream_->unfinished_blocks()) {
    route_->blocks.pool->Revoke(block);
  }
  CloseStream(then);
}

void StreamCall::CloseStream(Then* then) {
  stream_->Close();
  if (parked_ > 0) stream_->WakeParked();
  stream_ = nullptr;
  then->idle = true;
}

void StreamCall::Break(absl::Status status, Then* then) {
  broken_ = true;
  result_.End(StreamUnavailable("the server broke the protocol of direct calls"));
  then->broken = std::move(status);
}

void StreamCall::OnNews() {
  Then then;
  {
    absl::MutexLock lock(mu_);
    Advance(&then);
  }
  Do(std::move(then));
}

void StreamCall::OnRest() {
  absl::MutexLock lock(mu_);
  if (stream_ != nullptr) stream_->Rest();
}

void StreamCall::OnEnded() {
  Then then;
  {
    absl::MutexLock lock(mu_);
    if (stream_ == nullptr) return;
    // What the server had written before it went is still delivered.
    absl::StatusOr<bool> complete = !broken_;
    stream_->BeginLook();
    StreamItem record;
    while (complete.ok() && *complete && !result_.ended()) {
      complete = stream_->Next(&record);
      if (!complete.ok() || !*complete) break;
      LimitMessage(record);
      NoteMessage(record);
      if (record.too_large > 0 || !result_.Take(std::move(record), route_->blocks).ok()) break;
    }
    if (!result_.ended()) {
      const bool not_run = stream_->TakeBack();
      if (not_run) RevokeUntaken();
      if (not_run && cancelled_) result_.End(StreamCancelled());
      if (!not_run || decided_ != Path::kUndecided) {
        result_.End(
            StreamUnavailable("the server closed the connection or died while it had the call"));
      }
    }
    if (parked_ > 0) stream_->WakeParked();
    stream_ = nullptr;
    then.idle = true;
    Advance(&then);
  }
  Do(std::move(then));
}

}  // namespace grpc_cxl::internal
