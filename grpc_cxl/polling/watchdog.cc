// SPDX-License-Identifier: Apache-2.0
#include "grpc_cxl/polling/watchdog.h"

#include <pthread.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include <system_error>
#include <thread>

#include "absl/log/check.h"
#include "absl/log/log.h"
#include "absl/time/time.h"

namespace grpc_cxl::internal {
namespace {

constexpr int64_t kTickNs = 2'000'000;

// How long a thread waits for other work after it was replaced in a blocked callback.
constexpr absl::Duration kIdleThreadLife = absl::Seconds(10);

}  // namespace

Watchdog::Watchdog(int pollers)
    : timer_(timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC)), watched_(pollers) {
  PCHECK(timer_) << "no file descriptor left for the polling threads; raise the limit (ulimit -n)";
  for (Watched& watched : watched_) watched.poller = std::make_unique<Poller>(this);
  std::thread([this] {
    pthread_setname_np(pthread_self(), "cxl_watchdog");
    Watch();
  }).detach();
  for (Watched& watched : watched_) {
    CHECK(Staff(watched.poller.get())) << "no thread left for polling";
  }
}

Poller* Watchdog::Assign() {
  return watched_[next_.fetch_add(1, std::memory_order_relaxed) % watched_.size()].poller.get();
}

void Watchdog::Arm() {
  if (armed_.exchange(true, std::memory_order_seq_cst)) return;
  itimerspec once{};
  once.it_value.tv_nsec = kTickNs;
  PCHECK(timerfd_settime(timer_.get(), 0, &once, nullptr) == 0);
}

void Watchdog::Watch() {
  for (;;) {
    uint64_t expirations;
    if (read(timer_.get(), &expirations, sizeof(expirations)) < 0) continue;  // EINTR
    armed_.store(false, std::memory_order_seq_cst);                           // step a
    bool active = false;
    for (Watched& watched : watched_) {
      const uint64_t busy = watched.poller->busy();
      if (busy % 2 == 1 && busy == watched.last_busy) {
        if (watched.poller->DeposeIfStuckIn(busy)) {
          takeovers_.fetch_add(1, std::memory_order_relaxed);
          if (!Staff(watched.poller.get())) {
            LOG_EVERY_N_SEC(ERROR, 1)
                << "a callback blocks a polling thread of grpc_cxl, and no other thread can be "
                   "started; its connections wait until a callback returns";
          }
        }
      }
      active |= busy % 2 == 1;
      watched.last_busy = busy;
    }
    if (active) Arm();
  }
}

bool Watchdog::Staff(Poller* poller) {
  {
    absl::MutexLock lock(mu_);
    offers_.push_back(poller);
    if (idle_threads_ >= offers_.size()) return true;
  }
  try {
    std::thread([this] {
      pthread_setname_np(pthread_self(), "cxl_poller");
      LeadOneAfterAnother();
    }).detach();
    return true;
  } catch (const std::system_error&) {  // a limit of the system or of our control group
    return false;
  }
}

void Watchdog::LeadOneAfterAnother() {
  for (;;) {
    Poller* offer;
    {
      absl::MutexLock lock(mu_);
      ++idle_threads_;
      const auto offered = [this]() ABSL_SHARED_LOCKS_REQUIRED(mu_) { return !offers_.empty(); };
      const bool found = mu_.AwaitWithTimeout(absl::Condition(&offered), kIdleThreadLife);
      --idle_threads_;
      if (!found) return;
      offer = offers_.front();
      offers_.pop_front();
    }
    offer->Lead();
  }
}

}  // namespace grpc_cxl::internal
