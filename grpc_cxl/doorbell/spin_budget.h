// SPDX-License-Identifier: Apache-2.0
#ifndef GRPC_CXL_DOORBELL_SPIN_BUDGET_H_
#define GRPC_CXL_DOORBELL_SPIN_BUDGET_H_

#include <cstdint>

#include "absl/time/time.h"
#include "grpc_cxl/wait_policy.h"

namespace grpc_cxl::internal {

// Tells a waiting thread how long to spin before it sleeps. Spinning saves the wake-up
// (2 to 35 us), but only while a core is free for it. The adaptive budget
//
//   doubles after a spin that found something, up to `most`,
//   halves after a spin that found nothing or that the kernel interrupted, down to zero,
//   is all of `most` once, as a try, after the thread was woken so early that a full spin
//   might have caught it. A try in vain puts it to zero, and the next try takes twice as
//   many early wake-ups (at most 256): when our spinning is what keeps the peer from the
//   core, every sleep is short and no spin ever finds anything.
//
// Not thread-safe: one per waiting thread.
class SpinBudget {
 public:
  SpinBudget(WaitPolicy policy, absl::Duration most);

  // How long to spin now, in nanoseconds; 0: sleep at once.
  int64_t nanoseconds() const { return budget_ns_; }

  // The result of the last wait:
  void SpinFound();                    // something came while spinning
  void SpinWasted();                   // the budget ran out, or another thread needed the core
  void SleptFor(int64_t nanoseconds);  // woken after sleeping this long

 private:
  const WaitPolicy policy_;
  const int64_t most_ns_;
  int64_t budget_ns_;
  bool trying_ = false;  // the budget is a try
  int early_wakes_ = 0;  // since the last try or find
  int try_after_ = 1;    // early wake-ups before the next try
};

}  // namespace grpc_cxl::internal

#endif  // GRPC_CXL_DOORBELL_SPIN_BUDGET_H_
