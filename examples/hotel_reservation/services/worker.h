// SPDX-License-Identifier: Apache-2.0
#ifndef GRPC_CXL_EXAMPLES_HOTEL_RESERVATION_SERVICES_WORKER_H_
#define GRPC_CXL_EXAMPLES_HOTEL_RESERVATION_SERVICES_WORKER_H_

#include <deque>
#include <thread>
#include <utility>

#include "absl/base/thread_annotations.h"
#include "absl/functional/any_invocable.h"
#include "absl/synchronization/mutex.h"

namespace hotel_reservation {

// A thread for tasks that wait for the disk, which would block gRPC's threads. Runs one task after
// the other. Thread-safe.
class Worker {
 public:
  Worker() : thread_([this] { Loop(); }) {}

  // Runs the remaining tasks first.
  ~Worker() {
    {
      absl::MutexLock lock(mu_);
      stop_ = true;
    }
    thread_.join();
  }

  void Run(absl::AnyInvocable<void()> task) {
    absl::MutexLock lock(mu_);
    tasks_.push_back(std::move(task));
  }

 private:
  bool HasNews() const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_) { return stop_ || !tasks_.empty(); }

  void Loop() {
    for (;;) {
      absl::AnyInvocable<void()> task;
      {
        absl::MutexLock lock(mu_);
        mu_.Await(absl::Condition(this, &Worker::HasNews));
        if (tasks_.empty()) return;
        task = std::move(tasks_.front());
        tasks_.pop_front();
      }
      task();
    }
  }

  absl::Mutex mu_;
  std::deque<absl::AnyInvocable<void()>> tasks_ ABSL_GUARDED_BY(mu_);
  bool stop_ ABSL_GUARDED_BY(mu_) = false;
  std::thread thread_;  // last, because it uses the other members
};

}  // namespace hotel_reservation

#endif  // GRPC_CXL_EXAMPLES_HOTEL_RESERVATION_SERVICES_WORKER_H_
