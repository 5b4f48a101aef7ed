// SPDX-License-Identifier: Apache-2.0
#include "grpc_cxl/endpoint/endpoint_core.h"

#include <grpc/event_engine/slice.h>

#include <utility>

#include "absl/log/check.h"
#include "grpc_cxl/base/steady_clock.h"
#include "grpc_cxl/doorbell/full_fence.h"

namespace grpc_cxl::internal {
namespace {

// An HTTP/2 frame (RFC 9113, section 6.8) that excludes no call that the client has begun.
constexpr uint8_t kGoaway[] = {
    0,    0,    8,    7,    0, 0, 0, 0, 0,  // of 8 bytes, kind GOAWAY, no flags, no stream
    0x7f, 0xff, 0xff, 0xff,                 // the last stream: any
    0,    0,    0,    0,                    // NO_ERROR
};

}  // namespace

EndpointCore::EndpointCore(std::unique_ptr<Link> link, const WaitTerms& wait,
                           std::shared_ptr<EventEngine> executor, bool trust_peer,
                           std::unique_ptr<LinkUser> user)
    : link_(std::move(link)),
      executor_(std::move(executor)),
      user_(std::move(user)),
      wait_(wait),
      receiver_(link_.get(), trust_peer),
      sender_(link_.get()) {}

void EndpointCore::OnEnd(absl::AnyInvocable<void(const absl::Status&)> on_end) {
  absl::ReleasableMutexLock lock(end_mu_);
  if (end_reason_.ok()) return on_end_.push_back(std::move(on_end));
  const absl::Status reason = end_reason_;
  lock.Release();
  on_end(reason);
}

void EndpointCore::Start(Poller* poller) {
  poller_ = poller;
  if (poller_->Add(shared_from_this())) return;
  End(absl::ResourceExhaustedError(
      "the kernel watches no more sockets for this user; raise fs.epoll.max_user_watches"));
}

bool EndpointCore::Read(Callback on_read, SliceBuffer* buffer) {
  std::shared_ptr<EndpointCore> self;  // the callback may destroy the endpoint
  {
    absl::MutexLock lock(read_mu_);
    CHECK(!read_.callback) << "a second Read() while one is pending";
    const absl::StatusOr<bool> done = TryRead(buffer);
    if (done.ok() && *done) return true;
    if (!done.ok()) return Fail(std::move(on_read), done.status());
    self = shared_from_this();
    read_.Store(std::move(on_read), buffer);
  }
  FenceAndLook();  // step 3; matched by the fence in PrepareToSleep()
  for (; ReadReady(); FenceAndLook()) {
    std::optional<Over> over = LookAtRead();
    if (!over.has_value()) continue;
    // By callback in any case: it may be a later operation, begun by the callback of this one.
    return Fail(std::move(over->callback), over->status);
  }
  return false;
}

bool EndpointCore::Write(Callback on_writable, SliceBuffer* data) {
  RestLater();
  std::shared_ptr<EndpointCore> self;
  {
    absl::MutexLock lock(write_mu_);
    CHECK(!write_.callback) << "a second Write() while one is pending";
    sender_.Start();
    writes_.AddAlone();
    absl::StatusOr<bool> done = TryWrite(data);
    if (done.ok() && !*done && !sender_.paused()) done = TryWriteOrAsk(data);
    if (done.ok() && *done) {
      written_ = true;
      if (goaway_due_) MaybeSendGoaway();
      return true;
    }
    if (!done.ok()) return Fail(std::move(on_writable), done.status());
    self = shared_from_this();
    write_.Store(std::move(on_writable), data);
    if (sender_.paused()) GoOnLater();
  }
  FenceAndLook();  // step 3, as above
  for (; WriteReady(); FenceAndLook()) {
    std::optional<Over> over = LookAtWrite();
    if (!over.has_value()) continue;
    // By callback in any case: it may be a later operation, begun by the callback of this one.
    return Fail(std::move(over->callback), over->status);
  }
  return false;
}

void EndpointCore::GoOnLater() {
  write_.pending.store(false, std::memory_order_relaxed);
  Poller::Current()->Enqueue([self = shared_from_this()] { self->GoOn(); });
}

void EndpointCore::GoOn() {
  std::optional<Over> over;
  {
    absl::MutexLock lock(write_mu_);
    over = WriteOn();
  }
  FenceAndLook();  // step 3, as in Write()
  for (; !over.has_value() && WriteReady(); FenceAndLook()) over = LookAtWrite();
  if (over.has_value()) over->callback(std::move(over->status));
}

void EndpointCore::SendGoaway() {
  absl::MutexLock lock(write_mu_);
  if (SteadyNs() < next_goaway_ns_) return;
  goaway_due_ = true;
  if (written_ && !write_.callback) MaybeSendGoaway();
}

void EndpointCore::MaybeSendGoaway() {
  if (Finished() || shut_down_.load(std::memory_order_relaxed)) return;
  // Whole or not at all: a rest would have to come before gRPC's next write.
  constexpr size_t kNeeded = 2 * sizeof(kGoaway);  // with its record's header
  const absl::StatusOr<size_t> space = link_->FreeSpace(kNeeded);
  if (!space.ok() || *space < kNeeded) return;
  SliceBuffer frame;
  frame.Append(grpc_event_engine::experimental::Slice::FromCopiedBuffer(kGoaway, sizeof(kGoaway)));
  sender_.Start();
  if (const auto sent = sender_.Send(frame); !sent.ok() || !*sent) return;
  goaway_due_ = false;
  goaway_pause_ns_ *= 2;
  next_goaway_ns_ = SteadyNs() + goaway_pause_ns_;
}

void EndpointCore::Shutdown() {
  // Before the word that lets UserIdle() close the connection: no call begins meanwhile.
  if (user_ != nullptr) user_->Retire();
  // Matched by the loads in UserIdle() and CloseIfDone(). seq_cst, with ServerCalls' `busy_`: we
  // see the last call go, or UserIdle() sees this.
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
  CloseIfDone();
}

void EndpointCore::RestAfter(EventEngine::Duration pause) {
  if (rest_later_.load(std::memory_order_relaxed) || !MayRest()) return;
  if (rest_later_.exchange(true, std::memory_order_relaxed)) return;
  executor_->RunAfter(pause, [weak = weak_from_this()] {
    if (const auto self = weak.lock()) self->RestIfIdle();
  });
}

void EndpointCore::RestIfIdle() {
  rest_later_.store(false, std::memory_order_relaxed);
  if (ended_.load(std::memory_order_acquire)) return;
  const LinkCounters& counters = link_->counters();
  const uint64_t activity = counters.bytes_written.value() + counters.bytes_read.value() +
                            (user_ == nullptr ? 0 : user_->activity());
  if (activity != last_activity_.exchange(activity, std::memory_order_relaxed)) {
    return RestLater();
  }
  {
    absl::MutexLock lock(write_mu_);
    link_->Rest();
  }
  if (user_ != nullptr) {
    user_->Rest();
    CloseIfDone();  // a Shutdown() meanwhile may have found the user busy with that
  }
  RestAfter(kRestAgainAfter);  // blocks that are held may be free then
}

void EndpointCore::FillStatus(StatusConnection* entry) const {
  entry->writes = writes_;
  entry->reads = reads_;
  link_->FillStatus(entry);
  if (user_ != nullptr) user_->FillStatus(entry);
}

void EndpointCore::UserIdle() {
  if (shut_down_.load(std::memory_order_seq_cst)) CloseIfDone();
  RestLater();
}

void EndpointCore::CloseIfDone() {
  if (!shut_down_.load(std::memory_order_seq_cst)) return;
  if (user_ != nullptr && user_->Busy() && !ended_.load(std::memory_order_acquire)) return;
  // Lets one thread pass, and orders nothing else.
  if (closed_.exchange(true, std::memory_order_relaxed)) return;
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

bool EndpointCore::PeerGone() {
  return !ended_.load(std::memory_order_acquire) && link_->PeerGone();
}

// Hints only: `pending` is atomic, the link's looks are single loads, as of its last Look(). What
// they lead to happens in Run(), under the locks.
bool EndpointCore::Finished() const {
  return ended_.load(std::memory_order_acquire) || link_->PeerClosedStream();
}

bool EndpointCore::ReadReady() const ABSL_NO_THREAD_SAFETY_ANALYSIS {
  return read_.pending.load(std::memory_order_relaxed) && (link_->MaybeReadable() || Finished());
}

bool EndpointCore::WriteReady() const ABSL_NO_THREAD_SAFETY_ANALYSIS {
  return write_.pending.load(std::memory_order_relaxed) && (link_->MaybeWritable() || Finished());
}

// A trip to memory only when all that the last one told is known.
bool EndpointCore::Ready() const { return HasWork() || (link_->Look() && HasWork()); }

bool EndpointCore::HasWork() const {
  return link_->Asked() || ReadReady() || WriteReady() ||
         flooded_.load(std::memory_order_relaxed) || UserReady();
}

void EndpointCore::PrepareToSleep() {
  // Blocks that came back lately would otherwise look lent until the next one is needed. If
  // the peer broke the return ring, that will say so.
  if (link_->pool() != nullptr) link_->pool()->TakeBack().IgnoreError();
  link_->PrepareToSleep();
}

// A user hears only Ended() once the connection has ended.
bool EndpointCore::UserReady() const {
  return user_ != nullptr && !ended_.load(std::memory_order_acquire) && user_->Ready();
}

void EndpointCore::Run() {
  link_->Answer();
  if (flooded_.exchange(false, std::memory_order_relaxed)) OnFdReadable();
  if (UserReady()) {
    if (absl::Status status = user_->Run(); !status.ok()) End(std::move(status));
  }
  if (std::optional<Over> over = LookAtRead()) over->callback(std::move(over->status));
  if (std::optional<Over> over = LookAtWrite()) over->callback(std::move(over->status));
  RestLater();
}

std::optional<EndpointCore::Over> EndpointCore::LookAtRead() ABSL_NO_THREAD_SAFETY_ANALYSIS {
  if (!read_.pending.load(std::memory_order_relaxed) || !read_mu_.try_lock()) return std::nullopt;
  std::optional<Over> over;
  if (read_.callback) {
    read_.pending.store(false, std::memory_order_relaxed);
    const absl::StatusOr<bool> done = TryRead(read_.buffer);
    if (!done.ok() || *done) {
      over = Over{Take(read_), done.status()};
    } else {
      read_.pending.store(true, std::memory_order_relaxed);
    }
  }
  read_mu_.unlock();
  return over;
}

std::optional<EndpointCore::Over> EndpointCore::LookAtWrite() ABSL_NO_THREAD_SAFETY_ANALYSIS {
  if (!write_.pending.load(std::memory_order_relaxed) || !write_mu_.try_lock()) return std::nullopt;
  std::optional<Over> over = WriteOn();
  write_mu_.unlock();
  return over;
}

std::optional<EndpointCore::Over> EndpointCore::WriteOn() {
  if (!write_.callback) return std::nullopt;
  write_.pending.store(false, std::memory_order_relaxed);
  const absl::StatusOr<bool> done = TryWriteOrAsk(write_.buffer);
  if (!done.ok() || *done) {
    std::optional<Over> over = Over{Take(write_), done.status()};
    written_ = true;
    if (goaway_due_) MaybeSendGoaway();
    return over;
  }
  if (sender_.paused()) {
    GoOnLater();
  } else {
    write_.pending.store(true, std::memory_order_relaxed);
  }
  return std::nullopt;
}

absl::StatusOr<bool> EndpointCore::TryRead(SliceBuffer* buffer) {
  // This first: what the peer published before it went is then seen below.
  const bool ended = Finished();
  // Else every read would begin with a trip to memory; the polling thread looks anyway.
  const bool looked_at = link_->polls() && !link_->view().coherent();
  if (!ended && looked_at && !link_->MaybeReadable()) return false;
  const absl::StatusOr<bool> received = receiver_.Receive(buffer);
  if (!received.ok()) {
    End(received.status());
  } else if (!*received && ended) {
    return EndReason();
  } else if (*received) {
    reads_.AddAlone();
  }
  return received;
}

absl::StatusOr<bool> EndpointCore::TryWrite(SliceBuffer* data) {
  // A write to a peer that is gone succeeds while it fits, as with a socket. The reader must
  // hear of the end first, and of what came before it (a GOAWAY that lets gRPC make the call
  // elsewhere).
  const bool gone = Finished();
  // A polling thread has others to look after.
  const absl::StatusOr<bool> sent = sender_.Send(*data, Poller::Current() != nullptr);
  if (!sent.ok()) {
    End(sent.status());
  } else if (!*sent && gone && !sender_.paused()) {
    return EndReason();
  }
  return sent;
}

absl::StatusOr<bool> EndpointCore::TryWriteOrAsk(SliceBuffer* data) {
  absl::StatusOr<bool> done = TryWrite(data);
  if (done.ok() && !*done && !sender_.paused()) {
    link_->WantSpace();  // with its full fence: asked before the last look
    done = TryWrite(data);
  }
  if (done.ok() && (*done || sender_.paused())) link_->ClearWantSpace();
  return done;
}

void EndpointCore::Operation::Store(Callback of_caller, SliceBuffer* its_buffer) {
  callback = std::move(of_caller);
  buffer = its_buffer;
  pending.store(true, std::memory_order_relaxed);
}

EndpointCore::Callback EndpointCore::Take(Operation& operation) {
  operation.pending.store(false, std::memory_order_relaxed);
  operation.buffer = nullptr;
  return std::exchange(operation.callback, nullptr);
}

bool EndpointCore::Fail(Callback callback, absl::Status status) {
  executor_->Run([callback = std::move(callback), status = std::move(status)]() mutable {
    callback(std::move(status));
  });
  return false;
}

void EndpointCore::End(absl::Status reason) {
  std::vector<absl::AnyInvocable<void(const absl::Status&)>> on_end;
  {
    absl::MutexLock lock(end_mu_);
    on_end.swap(on_end_);
    if (end_reason_.ok()) end_reason_ = reason;
  }
  for (auto& call : on_end) call(reason);
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

}  // namespace grpc_cxl::internal
