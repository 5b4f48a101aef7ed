#include "grpc_cxl/event_engine/endpoint_core.h"

#include <algorithm>
#include <cstring>
#include <utility>

#include "absl/log/check.h"
#include "grpc_cxl/doorbell/full_fence.h"

namespace grpc_cxl {
namespace {

using grpc_event_engine::experimental::Slice;

// Bytes copied before the other side is told: small enough that both work at once on a
// large message, large enough that telling costs nothing beside the copy. Also the largest
// slice a read makes: the allocator serves this size without asking the kernel.
constexpr size_t kStride = 64 << 10;

}  // namespace

EndpointCore::EndpointCore(std::unique_ptr<Link> link, SpinBudget spin,
                           std::shared_ptr<EventEngine> executor, std::unique_ptr<LinkUser> user,
                           std::shared_ptr<void> lease)
    : lease_(std::move(lease)),
      link_(std::move(link)),
      executor_(std::move(executor)),
      user_(std::move(user)),
      spin_(spin) {}

void EndpointCore::Start(Poller* poller) {
  poller_ = poller;
  poller_->Add(shared_from_this());
}

bool EndpointCore::Read(Callback on_read, SliceBuffer* buffer) {
  absl::MutexLock lock(read_mu_);
  CHECK(!read_.callback) << "a second Read() while one is pending";
  absl::StatusOr<bool> done = TryRead(buffer);
  if (done.ok() && !*done) {
    read_.pending.store(true, std::memory_order_relaxed);
    FullFence();  // step 3; matched by the one in PrepareToSleep()
    done = TryRead(buffer);
    if (done.ok() && !*done) {
      read_.callback = std::move(on_read);
      read_.buffer = buffer;
      return false;
    }
    read_.pending.store(false, std::memory_order_relaxed);
  }
  if (done.ok()) return true;
  Fail(std::move(on_read), done.status());
  return false;
}

bool EndpointCore::Write(Callback on_writable, SliceBuffer* data) {
  absl::MutexLock lock(write_mu_);
  CHECK(!write_.callback) << "a second Write() while one is pending";
  slice_ = offset_ = 0;
  absl::StatusOr<bool> done = TryWrite(data);
  if (done.ok() && !*done) {
    write_.pending.store(true, std::memory_order_relaxed);
    done = TryWriteOrAsk(data);
    if (done.ok() && !*done) {
      write_.callback = std::move(on_writable);
      write_.buffer = data;
      return false;
    }
    write_.pending.store(false, std::memory_order_relaxed);
  }
  if (done.ok()) return true;
  Fail(std::move(on_writable), done.status());
  return false;
}

void EndpointCore::Shutdown() {
  // Matched by the load in CloseIfDone(): it sees this, or UserIdle() comes after.
  shut_down_.store(true, std::memory_order_seq_cst);
  Callback on_read, on_writable;
  {
    absl::MutexLock lock(read_mu_);
    on_read = Take(read_);
  }
  {
    absl::MutexLock lock(write_mu_);
    on_writable = Take(write_);
  }
  const absl::Status cancelled = absl::CancelledError("cxl endpoint closed");
  if (on_read) Fail(std::move(on_read), cancelled);
  if (on_writable) Fail(std::move(on_writable), cancelled);
  link_->CloseStream();
  if (user_ != nullptr) user_->Retire();
  CloseIfDone();
}

void EndpointCore::UserIdle() {
  if (shut_down_.load(std::memory_order_seq_cst)) CloseIfDone();
}

void EndpointCore::CloseIfDone() {
  if (!shut_down_.load(std::memory_order_seq_cst)) return;
  if (user_ != nullptr && user_->Busy() && !ended_.load(std::memory_order_acquire)) return;
  if (closed_.exchange(true, std::memory_order_acq_rel)) return;
  End(absl::CancelledError("cxl endpoint closed"));
  poller_->Remove(this);
}

void EndpointCore::OnFdReadable() {
  switch (link_->Drain()) {
    case DoorbellSleeper::Line::kOpen:
      break;
    case DoorbellSleeper::Line::kFlooded:
      flooded_.store(true, std::memory_order_relaxed);  // Run() drains on, between other work
      break;
    case DoorbellSleeper::Line::kPeerGone:
      End(absl::UnavailableError("cxl peer closed the connection or died"));
      break;
  }
}

bool EndpointCore::Ready() const ABSL_NO_THREAD_SAFETY_ANALYSIS {
  // Hints only: `pending` is atomic, the link's looks are single loads. What they lead to
  // happens in Run(), under the locks.
  const bool ended = ended_.load(std::memory_order_acquire) || link_->PeerClosedStream();
  return (read_.pending.load(std::memory_order_relaxed) && (ended || link_->MaybeReadable())) ||
         (write_.pending.load(std::memory_order_relaxed) && (ended || link_->MaybeWritable())) ||
         flooded_.load(std::memory_order_relaxed) || UserReady();
}

// Once the connection has ended, Ended() is all that its user hears.
bool EndpointCore::UserReady() const {
  return user_ != nullptr && !ended_.load(std::memory_order_acquire) && user_->Ready();
}

void EndpointCore::Run() {
  if (flooded_.exchange(false, std::memory_order_relaxed)) OnFdReadable();
  if (UserReady()) {
    if (absl::Status status = user_->Run(); !status.ok()) End(std::move(status));
  }
  RunRead();
  RunWrite();
}

void EndpointCore::RunRead() {
  Callback callback;
  absl::Status status;
  {
    absl::MutexLock lock(read_mu_);
    if (!read_.callback) return;
    const absl::StatusOr<bool> done = TryRead(read_.buffer);
    if (done.ok() && !*done) return;
    status = done.status();
    callback = Take(read_);
  }
  callback(std::move(status));
}

void EndpointCore::RunWrite() {
  Callback callback;
  absl::Status status;
  {
    absl::MutexLock lock(write_mu_);
    if (!write_.callback) return;
    const absl::StatusOr<bool> done = TryWriteOrAsk(write_.buffer);
    if (done.ok() && !*done) return;
    status = done.status();
    callback = Take(write_);
  }
  callback(std::move(status));
}

absl::StatusOr<bool> EndpointCore::TryRead(SliceBuffer* buffer) {
  // This first: what the peer published before it went is then seen below.
  const bool ended = ended_.load(std::memory_order_acquire) || link_->PeerClosedStream();
  absl::StatusOr<size_t> readable = link_->Readable();
  if (!readable.ok()) {
    End(readable.status());
    return readable.status();
  }
  if (*readable == 0) {
    if (ended) return EndReason();
    return false;
  }
  // At most a ring full a turn: a fast writer must not keep us here for ever.
  size_t left = link_->ring_bytes();
  while (readable.ok() && *readable > 0 && left > 0) {
    const absl::Span<const char> front = link_->Front();
    const size_t bytes = std::min({front.size(), kStride, left});
    grpc_slice slice = grpc_slice_malloc(bytes);
    memcpy(GRPC_SLICE_START_PTR(slice), front.data(), bytes);
    buffer->Append(Slice(slice));
    link_->Consume(bytes);
    left -= bytes;
    readable = link_->Readable();
  }
  // An error here shows again, by itself, at the next read: these bytes are good.
  return true;
}

absl::StatusOr<bool> EndpointCore::TryWrite(SliceBuffer* data) {
  // Into the ring of a peer that is gone, as into the socket of one: what fits is written
  // and never read. The reader must hear of the end first, and of what came before it (a
  // GOAWAY that lets gRPC make the call elsewhere).
  const bool gone = ended_.load(std::memory_order_acquire) || link_->PeerClosedStream();
  const size_t count = data->Count();
  size_t unpublished = 0;
  while (slice_ < count) {
    const Slice& slice = (*data)[slice_];
    const size_t bytes = std::min(slice.size() - offset_, kStride - unpublished);
    const absl::StatusOr<size_t> written = link_->Write(
        absl::MakeConstSpan(reinterpret_cast<const char*>(slice.data()) + offset_, bytes));
    if (!written.ok()) {
      End(written.status());
      return written.status();
    }
    offset_ += *written;
    unpublished += *written;
    if (offset_ == slice.size()) {
      ++slice_;
      offset_ = 0;
    }
    if (*written < bytes) break;
    if (unpublished == kStride) {
      link_->Publish();
      unpublished = 0;
    }
  }
  link_->Publish();
  if (slice_ == count) return true;
  if (gone) return EndReason();
  return false;
}

absl::StatusOr<bool> EndpointCore::TryWriteOrAsk(SliceBuffer* data) {
  absl::StatusOr<bool> done = TryWrite(data);
  if (done.ok() && !*done) {
    link_->WantSpace();  // with its full fence: asked before the last look
    done = TryWrite(data);
  }
  if (done.ok() && *done) link_->ClearWantSpace();
  return done;
}

EndpointCore::Callback EndpointCore::Take(Operation& operation) {
  operation.pending.store(false, std::memory_order_relaxed);
  operation.buffer = nullptr;
  return std::exchange(operation.callback, nullptr);
}

void EndpointCore::Fail(Callback callback, absl::Status status) {
  executor_->Run([callback = std::move(callback), status = std::move(status)]() mutable {
    callback(std::move(status));
  });
}

void EndpointCore::End(absl::Status reason) {
  {
    absl::MutexLock lock(end_mu_);
    if (end_reason_.ok()) end_reason_ = std::move(reason);
  }
  // Matched by the acquire loads in Ready(), TryRead() and TryWrite().
  ended_.store(true, std::memory_order_release);
  FullFence();  // matched by the one in Read(): it sees the end, or Ready() sees its `pending`
  link_->Close();
  if (user_ != nullptr) {
    // Elsewhere: this may come from inside the user's own Run(), and it calls back into gRPC.
    executor_->Run([self = shared_from_this()] {
      self->user_->Ended();
      self->CloseIfDone();
    });
  }
}

absl::Status EndpointCore::EndReason() {
  absl::MutexLock lock(end_mu_);
  if (!end_reason_.ok()) return end_reason_;
  return absl::UnavailableError("cxl peer closed the stream");
}

}  // namespace grpc_cxl
