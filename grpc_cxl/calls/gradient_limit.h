// SPDX-License-Identifier: Apache-2.0
#ifndef GRPC_CXL_CALLS_GRADIENT_LIMIT_H_
#define GRPC_CXL_CALLS_GRADIENT_LIMIT_H_

#include <algorithm>
#include <cstdint>

namespace grpc_cxl::internal {

// Finds how many calls a server can run at a time, from how long they take: when more of them make
// all slower, too many run. After Netflix's concurrency-limits (Gradient2Limit): for each window
//
//   gradient = kTolerance x usual duration / duration in the window, from 1/2 to 1
//   limit    = 4/5 limit + 1/5 (limit x gradient + kQueue)
//
// One thing is different. There the usual duration is an average of all windows, so that it, and
// with it the limit, creeps up while a server has too much to do for minutes. Here only windows
// count in which at most half of the limit was used. When none came by itself for kProbeAfter
// windows, one is made, as Envoy's adaptive concurrency does: the limit is halved for a window.
//
// Pure: knows no clock. Not thread-safe.
class GradientLimit {
 public:
  static constexpr int64_t kWindowNs = 100'000'000;
  static constexpr int kLeastCalls = 10;  // in a window
  static constexpr int kProbeAfter = 50;
  static constexpr double kTolerance = 1.5;
  static constexpr double kQueue = 4;

  uint32_t limit() const {
    return static_cast<uint32_t>(std::clamp(probes_ ? limit_ / 2 : limit_, 1.0, most_));
  }
  // The limit stays below.
  void SetMost(uint32_t most) {
    most_ = std::max<double>(most, 1);
    limit_ = std::min(limit_, most_);
  }

  // A call has taken so long; `running` with it.
  void Ended(int64_t took_ns, uint32_t running, int64_t now_ns) {
    if (calls_ == 0) begin_ns_ = now_ns;
    ++calls_;
    took_ns_ += static_cast<double>(took_ns);
    most_running_ = std::max(most_running_, running);
    if (now_ns - begin_ns_ < kWindowNs || calls_ < kLeastCalls) return;
    EndWindow(took_ns_ / calls_, most_running_);
    calls_ = 0;
    took_ns_ = 0;
    most_running_ = 0;
  }

 private:
  void EndWindow(double took_ns, uint32_t running) {
    if (running <= std::max(limit_ / 2, 1.0)) {
      usual_ns_ = usual_ns_ == 0 ? took_ns : (usual_ns_ + took_ns) / 2;
      since_usual_ = 0;
      probes_ = false;
      return;
    }
    if (probes_) return;  // more calls run from before
    if (usual_ns_ > 0) {
      const double gradient = std::clamp(kTolerance * usual_ns_ / took_ns, 0.5, 1.0);
      limit_ = std::clamp(0.8 * limit_ + 0.2 * (limit_ * gradient + kQueue), 1.0, most_);
    }
    probes_ = usual_ns_ == 0 || ++since_usual_ >= kProbeAfter;
  }

  double most_ = 1000;
  double limit_ = 20;
  double usual_ns_ = 0;  // 0: not known
  int since_usual_ = 0;  // windows
  bool probes_ = false;
  // The window: when its first call ended, and its calls.
  int64_t begin_ns_ = 0;
  uint32_t calls_ = 0;
  double took_ns_ = 0;
  uint32_t most_running_ = 0;
};

}  // namespace grpc_cxl::internal

#endif  // GRPC_CXL_CALLS_GRADIENT_LIMIT_H_
