// SPDX-License-Identifier: Apache-2.0
#ifndef GRPC_CXL_DIRECT_OFFER_ANSWER_H_
#define GRPC_CXL_DIRECT_OFFER_ANSWER_H_

#include <grpcpp/support/server_interceptor.h>

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <utility>

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"
#include "grpc_cxl/base/steady_clock.h"

namespace grpc_cxl::internal {

// Whether calls are looked at for offers: for some time after a client has connected over the
// network. Calls of servers without new clients cost one load. Thread-safe.
class OfferSeason {
 public:
  static void Begin() { Until().store(SteadyNs() + kLength, std::memory_order_relaxed); }
  static bool IsOn() {
    const int64_t until = Until().load(std::memory_order_relaxed);  // a hint
    if (until == 0) return false;
    if (SteadyNs() < until) return true;
    Until().store(0, std::memory_order_relaxed);
    return false;
  }

 private:
  static constexpr int64_t kLength = 10'000'000'000;
  static std::atomic<int64_t>& Until() {
    static std::atomic<int64_t> until{0};
    return until;
  }
};

// How a server answers offers. Thread-safe.
class OfferAnswers {
 public:
  using Answer = std::function<std::string(const std::string& offer)>;  // empty: none

  void Set(Answer answer) {
    absl::MutexLock lock(mu_);
    answer_ = std::move(answer);
  }
  Answer Get() {
    absl::MutexLock lock(mu_);
    return answer_;
  }

 private:
  absl::Mutex mu_;
  Answer answer_ ABSL_GUARDED_BY(mu_);  // null: not yet
};

// Answers offers, which handlers do not see.
std::unique_ptr<grpc::experimental::ServerInterceptorFactoryInterface> MakeOfferAnswers(
    std::shared_ptr<OfferAnswers> answers);

}  // namespace grpc_cxl::internal

#endif  // GRPC_CXL_DIRECT_OFFER_ANSWER_H_
