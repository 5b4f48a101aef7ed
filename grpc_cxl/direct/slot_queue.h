// SPDX-License-Identifier: Apache-2.0
#ifndef GRPC_CXL_DIRECT_SLOT_QUEUE_H_
#define GRPC_CXL_DIRECT_SLOT_QUEUE_H_

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <utility>

#include "absl/base/thread_annotations.h"
#include "absl/functional/any_invocable.h"
#include "absl/synchronization/mutex.h"
#include "grpc_cxl/base/ageing_queue.h"
#include "grpc_cxl/calls/client_call_areas.h"
#include "grpc_cxl/link/link_owner.h"
#include "grpc_cxl/priority_level.h"
#include "grpc_cxl/streams/client_streams.h"

namespace grpc_cxl::internal {

// A client's calls that wait for a slot of a connection, in the order of an AgeingQueue. Only those
// to a server that runs so many calls at a time (ClientCalls::capacity()) wait; others take the
// stream path, which to such a server would be a way around its capacity.
//
//     Add() --a slot is free--------> Waiter(slot)
//       |---Remove()
//       '---Close(), SendAway()-----> Waiter(-1)
//
// Thread-safe; owned by a shared_ptr.
class SlotQueue : public std::enable_shared_from_this<SlotQueue> {
 public:
  // Gets a slot, to use or to give back, or -1 when there will be none; runs on any thread, with no
  // lock held. False: the call has ended, and the slot was not used.
  using Waiter = absl::AnyInvocable<bool(int slot)>;

  // At most so many calls wait, in slots or here, and `streams` (null: none) in theirs; bulk calls
  // only while less than half of them do, so that a job does not have the others turned away.
  // `owner` keeps both alive; so does who calls a function of this.
  SlotQueue(ClientCallAreas* calls, const ClientStreams* streams, std::weak_ptr<LinkOwner> owner,
            size_t most_waiting)
      : calls_(calls), streams_(streams), owner_(std::move(owner)), most_waiting_(most_waiting) {}

  // Whether calls that get no slot are to wait for one.
  bool Queues() const { return calls_->capacity() > 0 && calls_->Accepting(); }
  // Whether as many calls wait as may.
  bool IsFull(Priority priority = Priority::kInteractive) const;
  // As ClientCallAreas::Acquire(), but behind the calls that wait, and -1 if IsFull(). With no lock
  // held: ends of one-way calls may run in it.
  int Acquire(Priority priority) {
    if (IsFull(priority)) calls_->FreeUnwanted();
    return size() > 0 || IsFull(priority) ? -1 : calls_->Acquire();
  }

  enum class Added { kYes, kFull, kClosed };
  // A number for Add(); not 0.
  uint64_t NewTicket() { return next_ticket_.fetch_add(1, std::memory_order_relaxed); }
  // The call may be over when this returns.
  Added Add(uint64_t ticket, Priority priority, Waiter waiter);
  void Remove(uint64_t ticket);
  // A slot may be free.
  void Next() {
    if (size() > 0) Serve();
  }
  void Close();
  // The calls that wait are to go elsewhere.
  void SendAway();

  // relaxed, here and below: whoever misses a call leaves it to ServeLater().
  size_t size() const { return size_.load(std::memory_order_relaxed); }

  // When to try again after IsFull(): how long the waiting calls will take at the server's pace.
  int64_t PushbackMs();

 private:
  struct Waiting {
    uint64_t ticket;
    Waiter waiter;
  };

  void Serve();
  // Looks again soon, once: slots also become free without a call's end, as when the server opens
  // the next area.
  void ServeLater() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);

  ClientCallAreas* const calls_;
  const ClientStreams* const streams_;
  const std::weak_ptr<LinkOwner> owner_;
  const size_t most_waiting_;
  std::atomic<uint64_t> next_ticket_{1};
  std::atomic<size_t> size_{0};  // of waiters_; stored under mu_

  absl::Mutex mu_;
  AgeingQueue<Waiting> waiters_ ABSL_GUARDED_BY(mu_);
  bool closed_ ABSL_GUARDED_BY(mu_) = false;
  bool serving_ ABSL_GUARDED_BY(mu_) = false;  // a thread is in Serve()
  bool again_ ABSL_GUARDED_BY(mu_) = false;    // it is to look once more
  bool later_ ABSL_GUARDED_BY(mu_) = false;
  // The pace: when so many calls were over, and the time that each has taken since the last time.
  int64_t over_at_ns_ ABSL_GUARDED_BY(mu_) = 0;
  uint64_t over_ ABSL_GUARDED_BY(mu_) = 0;
  double ns_per_call_ ABSL_GUARDED_BY(mu_) = 0;  // 0: not known
};

}  // namespace grpc_cxl::internal

#endif  // GRPC_CXL_DIRECT_SLOT_QUEUE_H_
