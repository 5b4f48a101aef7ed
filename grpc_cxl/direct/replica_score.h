// SPDX-License-Identifier: Apache-2.0
#ifndef GRPC_CXL_DIRECT_REPLICA_SCORE_H_
#define GRPC_CXL_DIRECT_REPLICA_SCORE_H_

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <numeric>
#include <optional>
#include <utility>

#include "absl/base/thread_annotations.h"
#include "absl/container/inlined_vector.h"
#include "absl/synchronization/mutex.h"

namespace grpc_cxl::internal {

// By what a client chooses between the replicas of a name: of two at random that with the lower
//
//   score = latency x (calls under way + 1) / weight
//
// Two at random, and not the best of all, because many clients would all choose the best at the
// same time: M. Mitzenmacher, "The Power of Two Choices in Randomized Load Balancing", IEEE TPDS
// 12(10), 2001. The latency is the decayed peak of those seen, as in Twitter's Finagle ("P2C peak
// EWMA"): a slow answer counts at once, and is forgotten slowly. All weights are 1 so far.
//
// Four things are ours. Where one of the two is out of the question, there would be no choice: then
// a third is drawn. A latency is divided by the calls under way + 1 when its call began: else
// the score counts a queue twice, and a quick server with three calls looks as slow as one that
// takes ten times as long for each. The calls under way are those of all clients, which the server
// says itself (docs/protocol.md, 8.11), or our own if these are more. And a replica that owes us
// answers is at least as slow as it has been silent: one that is stopped is shunned before its
// first slow answer, and calls that it has not taken leave it (StuckAt()).

// The decayed peak of latencies: becomes the latency when that is higher, and else moves towards it
// with weight 1 - e^(-t / kDecayNs), t after the last one. While none comes, it decays towards 0,
// so that a replica that was slow is tried again. Pure: knows no clock. Not thread-safe.
class PeakEwma {
 public:
  static constexpr double kDecayNs = 1e9;

  void Observe(double latency_ns, int64_t now_ns) {
    const double kept = Kept(now_ns);
    value_ = std::max(latency_ns, value_ * kept + latency_ns * (1 - kept));
    at_ns_ = std::max(at_ns_, now_ns);
  }
  double At(int64_t now_ns) const { return value_ * Kept(now_ns); }

 private:
  // Threads may read their clocks in another order than they come here.
  double Kept(int64_t now_ns) const {
    return std::exp(-static_cast<double>(std::max<int64_t>(now_ns - at_ns_, 0)) / kDecayNs);
  }

  double value_ = 0;
  int64_t at_ns_ = 0;
};

inline double ScoreOf(double latency_ns, uint32_t under_way, double weight = 1) {
  return latency_ns * (under_way + 1.0) / weight;
}

// Which of `count` replicas to choose: random() is a large number, score(i) that of replica i,
// nullopt if it is not to be had. Nullopt: none is. Pure.
template <typename Random, typename Score>
std::optional<size_t> ChooseReplica(size_t count, Random&& random, Score&& score) {
  constexpr double kOutOfTheQuestion = 4;  // times as high as the other
  absl::InlinedVector<size_t, 16> order(count);
  std::iota(order.begin(), order.end(), size_t{0});
  std::optional<size_t> best;
  double best_score = 0;
  bool third = false;
  for (size_t i = 0, seen = 0; i < count && seen < (third ? 3u : 2u); ++i) {
    std::swap(order[i], order[i + random() % (count - i)]);
    const std::optional<double> its_score = score(order[i]);
    if (!its_score.has_value()) continue;
    if (seen++ > 0) {
      third =
          std::max(*its_score, best_score) > kOutOfTheQuestion * std::min(*its_score, best_score);
    }
    if (best.has_value() && *its_score >= best_score) continue;
    best = order[i];
    best_score = *its_score;
  }
  return best;
}

// What a client knows of a replica by one connection. Thread-safe.
class ReplicaScore {
 public:
  // A call was answered after so long, before which UnderWay() was `under_way`.
  void Answered(int64_t latency_ns, uint32_t under_way, int64_t now_ns) {
    absl::MutexLock lock(mu_);
    latency_.Observe(static_cast<double>(latency_ns) / (under_way + 1.0), now_ns);
    whole_.Observe(static_cast<double>(latency_ns), now_ns);
    known_ = true;
    heard_ns_ = std::max(heard_ns_, now_ns);
  }
  // It gave another sign of life.
  void Heard(int64_t now_ns) {
    absl::MutexLock lock(mu_);
    heard_ns_ = std::max(heard_ns_, now_ns);
  }

  // When a replica that owes us answers, and gives no sign of life until then, counts as stuck:
  // after kStuckTimes times as long as its calls have taken of late, or kUnknownNs while no call
  // was answered.
  static constexpr double kStuckTimes = 4;
  static constexpr int64_t kLeastNs = 20'000'000, kMostNs = 1'000'000'000, kUnknownNs = 100'000'000;
  int64_t StuckAt(int64_t now_ns) {
    absl::MutexLock lock(mu_);
    if (!known_) return heard_ns_ + kUnknownNs;
    const double silence_ns = kStuckTimes * whole_.At(now_ns);
    return heard_ns_ +
           std::clamp(static_cast<int64_t>(std::min(silence_ns, 1e18)), kLeastNs, kMostNs);
  }

  // `own` calls of ours are under way there, `all` by its own word, which may be anything.
  static uint32_t UnderWay(uint32_t own, uint32_t all) {
    constexpr uint32_t kMost = 1 << 20;
    return std::max(own, std::min(all, kMost));
  }
  double At(uint32_t own, uint32_t all, int64_t now_ns) {
    constexpr double kVerySlowNs = 1e12;
    absl::MutexLock lock(mu_);
    if (own == 0) heard_ns_ = now_ns;  // it owes nothing
    // A new one gets one call, and others when it has answered that; a few, where threads choose
    // before the first has its slot.
    if (!known_) return own == 0 ? 0 : ScoreOf(kVerySlowNs, own);
    const double silent_ns = static_cast<double>(now_ns - heard_ns_);
    return ScoreOf(std::max(latency_.At(now_ns), silent_ns), UnderWay(own, all));
  }

 private:
  absl::Mutex mu_;
  PeakEwma latency_ ABSL_GUARDED_BY(mu_);
  PeakEwma whole_ ABSL_GUARDED_BY(mu_);  // not divided
  bool known_ ABSL_GUARDED_BY(mu_) = false;
  int64_t heard_ns_ ABSL_GUARDED_BY(mu_) = 0;
};

}  // namespace grpc_cxl::internal

#endif  // GRPC_CXL_DIRECT_REPLICA_SCORE_H_
