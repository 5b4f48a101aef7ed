// SPDX-License-Identifier: Apache-2.0
#include "bench/harness/open_loop.h"

#include <grpcpp/grpcpp.h>

#include <algorithm>
#include <random>
#include <string>
#include <thread>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"
#include "bench/roles/echo.grpc.pb.h"

namespace grpc_cxl::bench {
namespace {

using Clock = std::chrono::steady_clock;

class Load {
 public:
  Load(const std::shared_ptr<grpc::Channel>& channel, const OpenLoop& loop)
      : loop_(loop), stub_(Echo::NewStub(channel)) {}

  OpenLoopFigures Run() {
    std::minstd_rand random(std::random_device{}());
    std::exponential_distribution<double> pause(loop_.calls_per_second);
    const Clock::time_point begin = Clock::now();
    double at = 0, calls = 0;
    for (; at < loop_.seconds; at += pause(random), ++calls) {
      const auto due =
          begin + std::chrono::duration_cast<Clock::duration>(std::chrono::duration<double>(at));
      std::this_thread::sleep_until(due);
      Begin(due);
    }
    absl::MutexLock lock(mu_);
    mu_.Await(absl::Condition(
        +[](int* n) { return *n == 0; }, &running_));
    std::sort(ms_.begin(), ms_.end());
    OpenLoopFigures figures{.ok_per_second = static_cast<double>(ms_.size()) / loop_.seconds,
                            .refused = refused_ / calls,
                            .late = late_ / calls,
                            .failed = failed_ / calls};
    if (ms_.empty()) return figures;
    figures.p50_ms = ms_[ms_.size() / 2];
    figures.p99_ms = ms_[ms_.size() * 99 / 100];
    return figures;
  }

 private:
  struct OneCall {
    grpc::ClientContext context;
    Payload request, response;
  };

  void Begin(Clock::time_point due) {
    auto* const call = new OneCall;
    call->request.set_data(std::string(64, 'x'));
    call->context.set_wait_for_ready(true);
    call->context.set_deadline(std::chrono::system_clock::now() + loop_.deadline);
    {
      absl::MutexLock lock(mu_);
      ++running_;
    }
    stub_->async()->Call(&call->context, &call->request, &call->response,
                         [this, call, due](const grpc::Status& status) {
                           const std::chrono::duration<double, std::milli> took =
                               Clock::now() - due;
                           delete call;
                           absl::MutexLock lock(mu_);
                           Count(status.error_code(), took.count());
                           --running_;
                         });
  }
  void Count(grpc::StatusCode code, double ms) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_) {
    if (code == grpc::StatusCode::OK) return ms_.push_back(ms);
    double& count = code == grpc::StatusCode::RESOURCE_EXHAUSTED  ? refused_
                    : code == grpc::StatusCode::DEADLINE_EXCEEDED ? late_
                                                                  : failed_;
    ++count;
  }

  const OpenLoop& loop_;
  const std::unique_ptr<Echo::Stub> stub_;
  absl::Mutex mu_;
  int running_ ABSL_GUARDED_BY(mu_) = 0;
  double refused_ ABSL_GUARDED_BY(mu_) = 0, late_ ABSL_GUARDED_BY(mu_) = 0;
  double failed_ ABSL_GUARDED_BY(mu_) = 0;
  std::vector<double> ms_ ABSL_GUARDED_BY(mu_);
};

}  // namespace

OpenLoopFigures RunOpenLoop(const std::shared_ptr<grpc::Channel>& channel, const OpenLoop& loop) {
  return Load(channel, loop).Run();
}

}  // namespace grpc_cxl::bench
