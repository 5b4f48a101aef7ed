// SPDX-License-Identifier: Apache-2.0
#ifndef GRPC_CXL_POLLING_HAND_OVER_TIME_H_
#define GRPC_CXL_POLLING_HAND_OVER_TIME_H_

#include <algorithm>
#include <cstdint>

namespace grpc_cxl::internal {

// How long work may wait for the thread that is about to run it, before another thread is woken
// for it: as long as such a wake-up has taken of late, from the decision until the other thread
// ran. That is some microseconds where a core is free, and milliseconds where other threads or
// processes use all of them: then nothing is handed over for less.
//
// After long wake-ups one more is tried now and then, as if a core were free: when a hundred times
// the last one's length has passed, so that trying costs at most a hundredth of the time.
//
// Used under a lock.
class HandOverTime {
 public:
  // A wake-up that ended at `now_ns` took so long.
  void Note(int64_t took_ns, int64_t now_ns) {
    took_ns = std::min(took_ns, kMostNs);
    least_ns_ = noted_ns_ == kNever ? took_ns : std::min(least_ns_, took_ns);
    took_ns_ = noted_ns_ == kNever ? took_ns : took_ns_ + (took_ns - took_ns_) / 4;
    noted_ns_ = now_ns;
  }

  int64_t Patience(int64_t now_ns) const {
    return now_ns - noted_ns_ > 100 * took_ns_ ? least_ns_ : took_ns_;
  }

  // What a wake-up takes while a core is free.
  int64_t least_ns() const { return least_ns_; }

 private:
  static constexpr int64_t kNever = -1;
  // A process that was stopped meanwhile says nothing about the next wake-up.
  static constexpr int64_t kMostNs = 10'000'000;

  int64_t took_ns_ = 0;  // a moving average
  int64_t least_ns_ = 0;
  int64_t noted_ns_ = kNever;
};

}  // namespace grpc_cxl::internal

#endif  // GRPC_CXL_POLLING_HAND_OVER_TIME_H_
