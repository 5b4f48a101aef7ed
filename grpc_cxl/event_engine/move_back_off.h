// SPDX-License-Identifier: Apache-2.0
#ifndef GRPC_CXL_EVENT_ENGINE_MOVE_BACK_OFF_H_
#define GRPC_CXL_EVENT_ENGINE_MOVE_BACK_OFF_H_

#include <algorithm>
#include <chrono>

namespace grpc_cxl::internal {

// How often connections to one address may be tried and moved. A server that takes none, or drops
// those it has taken, thus costs a channel little. Not thread-safe.
class MoveBackOff {
 public:
  using Clock = std::chrono::steady_clock;

  static constexpr auto kFirst = std::chrono::milliseconds(100);
  static constexpr auto kLongestAfterMove = std::chrono::seconds(1);
  static constexpr auto kLongest = std::chrono::seconds(30);
  static constexpr auto kForget = std::chrono::minutes(1);
  static constexpr int kMostFailures = 8;

  // When the next attempt may begin.
  Clock::time_point next() const { return next_; }

  void Moved(Clock::time_point now) {
    Pause(now, kLongestAfterMove);
    failures_ = 0;
  }
  void Failed(Clock::time_point now) {
    Pause(now, kLongest);
    ++failures_;
  }

  // Whether to try once more though nothing has changed: what failed may pass, for a minute.
  bool GoesOn() const { return failures_ < kMostFailures; }
  // Something has changed.
  void Renew() { failures_ = 0; }

  // Whether it is as good as new.
  bool IsOver(Clock::time_point now) const { return now - next_ > kForget; }

 private:
  void Pause(Clock::time_point now, Clock::duration longest) {
    if (IsOver(now)) pause_ = {};
    pause_ = std::min<Clock::duration>(std::max<Clock::duration>(kFirst, pause_ * 2), kLongest);
    next_ = now + std::min(pause_, longest);
  }

  Clock::time_point next_ = Clock::time_point() - kForget;
  Clock::duration pause_{};
  int failures_ = 0;
};

}  // namespace grpc_cxl::internal

#endif  // GRPC_CXL_EVENT_ENGINE_MOVE_BACK_OFF_H_
