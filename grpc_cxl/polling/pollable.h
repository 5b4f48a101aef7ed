// SPDX-License-Identifier: Apache-2.0
#ifndef GRPC_CXL_POLLING_POLLABLE_H_
#define GRPC_CXL_POLLING_POLLABLE_H_

#include <cstdint>

#include "grpc_cxl/doorbell/spin_budget.h"

namespace grpc_cxl::internal {

// An object that a polling thread serves: a file descriptor, and maybe shared memory beside it.
// While a pollable is hot, the polling thread looks at its memory again and again. When there has
// been no work for long enough it is put to sleep, and only its file descriptor is watched.
//
// Calls come from one polling thread at a time, with a happens-before between them; but
// while a Run() or OnFdReadable() blocks, another thread may take over and make the next
// call beside it.
class Pollable {
 public:
  virtual ~Pollable() = default;

  virtual int fd() const = 0;

  // The descriptor became readable or was hung up; edge-triggered, so read all there is.
  // Runs without any lock held and may call back into gRPC.
  virtual void OnFdReadable() = 0;

  // Whether there is work for Run(). Called in a tight loop: a few loads.
  virtual bool Ready() const { return false; }

  // Does the work that is ready, callbacks included. Without any lock held.
  virtual void Run() {}

  // From here on the peer must wake us through fd(). Ready() is asked once more after this.
  virtual void PrepareToSleep() {}
  virtual void Awake() {}

  // Whether the peer wakes us through fd() as soon as Ready() would be true. If not, the polling
  // thread keeps looking at the pollable, ever more seldom (BackOff), and fd() may be -1 or report
  // other events.
  virtual bool wakes_us() const { return true; }
  // For a pollable that does not wake us, asked before every nap: whether there is work for
  // OnFdReadable() that fd() does not report.
  virtual bool PeerGone() { return false; }

  // How its owner wants it to be waited for. Does not change.
  virtual WaitTerms wait() const { return {.policy = WaitPolicy::kPark}; }

  // When the peer last woke us through fd(), as it says, by CLOCK_MONOTONIC in nanoseconds. 0: not
  // known.
  virtual int64_t WokenAt() const { return 0; }
};

}  // namespace grpc_cxl::internal

#endif  // GRPC_CXL_POLLING_POLLABLE_H_
