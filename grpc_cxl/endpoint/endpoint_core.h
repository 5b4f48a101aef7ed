// SPDX-License-Identifier: Apache-2.0
#ifndef GRPC_CXL_ENDPOINT_ENDPOINT_CORE_H_
#define GRPC_CXL_ENDPOINT_ENDPOINT_CORE_H_

#include <grpc/event_engine/event_engine.h>
#include <grpc/event_engine/slice_buffer.h>

#include <atomic>
#include <chrono>
#include <memory>
#include <optional>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/functional/any_invocable.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/synchronization/mutex.h"
#include "grpc_cxl/base/counter.h"
#include "grpc_cxl/doorbell/full_fence.h"
#include "grpc_cxl/doorbell/spin_budget.h"
#include "grpc_cxl/endpoint/slice_receiver.h"
#include "grpc_cxl/endpoint/slice_sender.h"
#include "grpc_cxl/link/link.h"
#include "grpc_cxl/link/link_owner.h"
#include "grpc_cxl/link/link_user.h"
#include "grpc_cxl/polling/pollable.h"
#include "grpc_cxl/polling/poller.h"
#include "grpc_cxl/status/status_layout.h"

namespace grpc_cxl::internal {

// The part of an endpoint that a polling thread and gRPC's threads share: one link, and at
// most one pending read and one pending write.
//
//   idle --Read(): nothing there--> pending --Run(): bytes, or the end--> idle
//
// and the same for writes. A pending operation is found by the polling thread through
// Ready(), or by Read() and Write() themselves:
//
//     Read()                              polling thread
//     1. look at the ring: empty          a. ask the peer to wake us (PrepareToSleep)
//     2. pending := true                  b. full fence
//     3. full fence                       c. Ready(): pending and not empty?
//     4. look once more                   d. sleep
//
// so that 4 or c sees bytes that came before a, for which the peer did not wake us. A link that
// polls (LinkOptions::polls) has no a and no b: the polling thread comes back to c after every nap.
//
// A sender may copy for long, and the polling thread does not wait for that: an operation that some
// thread is about is not `pending`, its lock is only tried by Run(), and whoever is about it looks
// once more when it is pending again. Read() and Write() do so in steps 3 and 4, again and again
// until there is nothing to do; a polling thread by Ready(), and one that was deposed meanwhile has
// the next one look (see Poller).
//
// A polling thread copies no more than SliceSender::kTurnBytes of a write at a time; then it has a
// closure go on, behind the other closures and connections that it looks after. Meanwhile the write
// is not `pending` either.
//
// When the peer is gone, what it had published is still delivered; then the pending read
// and the pending write fail together (a write left pending would hang gRPC's transport).
//
// A connection may also carry direct calls (LinkUser). They outlive the endpoint: when gRPC
// drops that, the stream is closed, and the connection ends with the last call.
//
// Thread-safe.
class EndpointCore final : public Pollable,
                           public LinkOwner,
                           public std::enable_shared_from_this<EndpointCore> {
 public:
  using Callback = absl::AnyInvocable<void(absl::Status)>;
  using SliceBuffer = grpc_event_engine::experimental::SliceBuffer;
  using EventEngine = grpc_event_engine::experimental::EventEngine;

  // `executor` runs the callbacks that must not run where they come up. `trust_peer`: see
  // SliceReceiver. `user`, which may be null, uses the link for more than the stream.
  EndpointCore(std::unique_ptr<Link> link, const WaitTerms& wait,
               std::shared_ptr<EventEngine> executor, bool trust_peer,
               std::unique_ptr<LinkUser> user = nullptr);

  // Has `on_end` called once, with the reason, when the connection ends, after those of earlier
  // calls; at once if it has ended.
  void OnEnd(absl::AnyInvocable<void(const absl::Status&)> on_end) ABSL_LOCKS_EXCLUDED(end_mu_);

  // Has `poller` look after this from now until the connection is closed for good.
  void Start(Poller* poller);

  // EventEngine::Endpoint's contract; each at most once at a time.
  bool Read(Callback on_read, SliceBuffer* buffer);
  bool Write(Callback on_writable, SliceBuffer* data);

  // For a server whose stream is HTTP/2 as gRPC writes it: whole frames, no TLS. Asks the client to
  // make new calls elsewhere, by a GOAWAY behind gRPC's first write or a later one; calls under way
  // go on, and the client closes the connection after the last. Call it again and again until
  // IsOver(): it needs space in the ring, and gRPC overlooks a GOAWAY that comes as soon as the
  // connection is made (StartWatch() of its transport), so it is repeated, ever more seldom.
  void SendGoaway();
  // Whether the connection is closed for good, with its direct calls.
  bool IsOver() const { return closed_.load(std::memory_order_relaxed); }  // a flag by itself

  // Closes the stream and fails what is pending with CANCELLED, on the executor. The
  // connection ends as soon as the link's user is idle.
  void Shutdown();

  // Sets what is known about the connection. From any thread.
  void FillStatus(StatusConnection* entry) const;

  // LinkOwner.
  void UserIdle() override;
  void End(absl::Status reason) override;

  // Pollable.
  int fd() const override { return link_->socket(); }
  void OnFdReadable() override;
  bool Ready() const override;
  void Run() override;
  void PrepareToSleep() override;
  void Awake() override { link_->Awake(); }
  bool wakes_us() const override { return !link_->polls(); }
  bool PeerGone() override;
  WaitTerms wait() const override { return wait_; }
  int64_t WokenAt() const override { return link_->WokenAt(); }

 private:
  // One direction. `pending` tells, for looks without the lock, whether `callback` is set and no
  // thread is about it.
  struct Operation {
    Callback callback;
    SliceBuffer* buffer = nullptr;
    std::atomic<bool> pending{false};

    void Store(Callback of_caller, SliceBuffer* its_buffer);
  };
  // The end of one.
  struct Over {
    Callback callback;
    absl::Status status;
  };

  // true: done; false: would block; error: the connection is over.
  absl::StatusOr<bool> TryRead(SliceBuffer* buffer) ABSL_EXCLUSIVE_LOCKS_REQUIRED(read_mu_);
  absl::StatusOr<bool> TryWrite(SliceBuffer* data) ABSL_EXCLUSIVE_LOCKS_REQUIRED(write_mu_);
  absl::StatusOr<bool> TryWriteOrAsk(SliceBuffer* data) ABSL_EXCLUSIVE_LOCKS_REQUIRED(write_mu_);
  // Has GoOn() called for a write that the sender has paused, on a polling thread.
  void GoOnLater() ABSL_EXCLUSIVE_LOCKS_REQUIRED(write_mu_);
  void GoOn() ABSL_LOCKS_EXCLUDED(write_mu_);
  // Some more of the write that is not over, if there is one.
  std::optional<Over> WriteOn() ABSL_EXCLUSIVE_LOCKS_REQUIRED(write_mu_);
  // After a write: what SendGoaway() wants, if there is space.
  void MaybeSendGoaway() ABSL_EXCLUSIVE_LOCKS_REQUIRED(write_mu_);

  // Sees to it that the connection gives memory back when it has been at rest for a while: by a
  // timer, which runs only while there is something to give.
  void RestLater() { RestAfter(kRestAfter); }
  void RestAfter(EventEngine::Duration pause);
  void RestIfIdle();
  bool MayRest() const { return link_->MayRest() || (user_ != nullptr && user_->MayRest()); }

  static Callback Take(Operation& operation);
  // Nothing while the operation goes on, or another thread is about it.
  std::optional<Over> LookAtRead() ABSL_LOCKS_EXCLUDED(read_mu_);
  std::optional<Over> LookAtWrite() ABSL_LOCKS_EXCLUDED(write_mu_);
  // Step 3. Where the peer wakes the polling thread, that thread does not look for us.
  void FenceAndLook() const {
    FullFence();
    if (!link_->polls()) link_->Look();
  }
  // Ready(), as of the link's last Look().
  bool HasWork() const;
  bool ReadReady() const;
  bool WriteReady() const;
  bool Finished() const;
  // Returns false, as Read() and Write() then do.
  bool Fail(Callback callback, absl::Status status);
  void CloseIfDone();
  bool UserReady() const;
  absl::Status EndReason();

  const std::unique_ptr<Link> link_;
  const std::shared_ptr<EventEngine> executor_;
  const std::unique_ptr<LinkUser> user_;
  Poller* poller_ = nullptr;  // set once, by Start()
  const WaitTerms wait_;

  absl::Mutex read_mu_;
  Operation read_ ABSL_GUARDED_BY(read_mu_);
  SliceReceiver receiver_ ABSL_GUARDED_BY(read_mu_);
  Counter reads_;  // added to under read_mu_; so is writes_
  absl::Mutex write_mu_ ABSL_ACQUIRED_AFTER(read_mu_);
  Operation write_ ABSL_GUARDED_BY(write_mu_);
  SliceSender sender_ ABSL_GUARDED_BY(write_mu_);
  Counter writes_;
  bool written_ ABSL_GUARDED_BY(write_mu_) = false;  // a write, which has begun HTTP/2
  bool goaway_due_ ABSL_GUARDED_BY(write_mu_) = false;
  int64_t goaway_pause_ns_ ABSL_GUARDED_BY(write_mu_) = 5'000'000;  // before the next
  int64_t next_goaway_ns_ ABSL_GUARDED_BY(write_mu_) = 0;

  // The peer sends more over the socket than wake-ups; not all of it is drained yet. relaxed: a
  // flag by itself, of the polling thread.
  std::atomic<bool> flooded_{false};
  // How long nothing has happened when a connection gives memory back; where not all was free
  // then, it looks again after the second. To take memory again costs some 0.25 us for each 4 KiB.
  static constexpr std::chrono::seconds kRestAfter{5};
  static constexpr std::chrono::seconds kRestAgainAfter{60};
  std::atomic<bool> rest_later_{false};     // a timer is set; relaxed: a second one does no harm
  std::atomic<uint64_t> last_activity_{0};  // of the timer
  std::atomic<bool> shut_down_{false};
  std::atomic<bool> closed_{false};
  std::atomic<bool> ended_{false};
  absl::Mutex end_mu_;
  absl::Status end_reason_ ABSL_GUARDED_BY(end_mu_);
  std::vector<absl::AnyInvocable<void(const absl::Status&)>> on_end_ ABSL_GUARDED_BY(end_mu_);
};

}  // namespace grpc_cxl::internal

#endif  // GRPC_CXL_ENDPOINT_ENDPOINT_CORE_H_
