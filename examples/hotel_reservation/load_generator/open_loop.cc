// SPDX-License-Identifier: Apache-2.0
#include "examples/hotel_reservation/load_generator/open_loop.h"

#include <sys/prctl.h>
#include <time.h>

#include <cerrno>
#include <memory>

#include "absl/base/thread_annotations.h"
#include "absl/log/check.h"
#include "absl/synchronization/mutex.h"

namespace hotel_reservation {
namespace {

int64_t NowNs() {
  timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return int64_t{now.tv_sec} * 1'000'000'000 + now.tv_nsec;
}

void SleepUntil(int64_t ns) {
  const timespec until = {ns / 1'000'000'000, ns % 1'000'000'000};
  while (clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &until, nullptr) == EINTR) {
  }
}

// Counts the requests in flight.
class UnderWayCount {
 public:
  void Add() {
    absl::MutexLock lock(mu_);
    ++count_;
  }
  void Remove() {
    absl::MutexLock lock(mu_);
    --count_;
  }
  void AwaitNone() {
    absl::MutexLock lock(mu_);
    mu_.Await(absl::Condition(
        +[](int64_t* count) { return *count == 0; }, &count_));
  }

 private:
  absl::Mutex mu_;
  int64_t count_ ABSL_GUARDED_BY(mu_) = 0;
};

}  // namespace

int64_t SendAtRate(Target& target, RequestMix& mix, double per_second, absl::Duration duration,
                   Recorder& recorder) {
  CHECK_GT(per_second, 0);
  // The kernel may let a thread oversleep by 50 us to save power.
  prctl(PR_SET_TIMERSLACK, 1);
  const auto requests = static_cast<int64_t>(per_second * absl::ToDoubleSeconds(duration));
  // Shared, because the last callback may still be in Remove() when this returns.
  const auto under_way = std::make_shared<UnderWayCount>();
  const int64_t start = NowNs();
  int64_t sent = 0;
  for (; sent < requests && !recorder.LimitBroken(requests); ++sent) {
    const auto due = static_cast<int64_t>(sent * 1e9 / per_second);
    const FrontendRequest request = mix.Next();
    if (NowNs() < start + due) SleepUntil(start + due);
    recorder.RecordSendLag(absl::Nanoseconds(NowNs() - start - due));
    under_way->Add();
    target.Send(request, [&recorder, under_way, start, due,
                          kind = request.index()](const absl::Status& status) {
      recorder.Record(kind, absl::Nanoseconds(due), absl::Nanoseconds(NowNs() - start - due),
                      status);
      under_way->Remove();
    });
  }
  under_way->AwaitNone();
  return sent;
}

}  // namespace hotel_reservation
