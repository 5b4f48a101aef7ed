// SPDX-License-Identifier: Apache-2.0
#include "grpc_cxl/polling/watchdog.h"

#include <pthread.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include <algorithm>
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

// Helpers of one poller at most: beyond that its queue is what limits.
constexpr int kMostHelpers = 63;

}  // namespace

Watchdog::Watchdog(int pollers, int cores)
    : timer_(timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC)), cores_(cores), watched_(pollers) {
  PCHECK(timer_) << "no file descriptor left for the polling threads; raise the limit (ulimit -n)";
  for (Watched& watched : watched_) {
    watched.poller = std::make_unique<Poller>(this, std::clamp(cores - 1, 0, kMostHelpers));
    watched.last_busy.resize(watched.poller->seats());
  }
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
    for (Watched& watched : watched_) active |= Look(watched);
    if (active) Arm();
  }
}

bool Watchdog::Look(Watched& watched) {
  bool active = false;
  for (size_t i = 0; i < watched.last_busy.size(); ++i) {
    const uint64_t busy = watched.poller->seat(i).busy();  // step b
    active |= busy % 2 == 1;
    const bool stuck = busy % 2 == 1 && busy == watched.last_busy[i];
    watched.last_busy[i] = busy;
    if (!stuck || !watched.poller->VacateIfStuckIn(i, busy)) continue;
    takeovers_.fetch_add(1, std::memory_order_relaxed);
    if (!Staff(watched.poller.get())) {
      LOG_EVERY_N_SEC(ERROR, 1)
          << "a callback blocks a polling thread of grpc_cxl, and no other thread can be "
             "started; its connections wait until a callback returns";
    }
  }
  return active;
}

bool Watchdog::HasFreeCore(int besides) const {
  int working = besides;
  for (const Watched& watched : watched_) working += watched.poller->working();
  return working < cores_;
}

bool Watchdog::Staff(Poller* poller) {
  {
    absl::MutexLock lock(mu_);
    offers_.push_front({poller, Offer::kLead});  // no help is as urgent
    if (idle_threads_ >= offers_.size()) return true;
  }
  return StartThread();
}

void Watchdog::Help(Poller* poller) {
  {
    absl::MutexLock lock(mu_);
    const bool waits = idle_threads_ > offers_.size();
    offers_.push_back({poller, waits ? Offer::kHelpWoken : Offer::kHelpNew});
    if (waits) return;
  }
  if (StartThread()) return;
  {
    absl::MutexLock lock(mu_);
    const auto offer = std::find_if(offers_.begin(), offers_.end(), [poller](const Offer& made) {
      return made.poller == poller && made.what == Offer::kHelpNew;
    });
    if (offer == offers_.end()) return;  // another thread has taken it
    offers_.erase(offer);
  }
  poller->CannotHelp();
}

bool Watchdog::StartThread() {
  try {
    std::thread([this] {
      pthread_setname_np(pthread_self(), "cxl_poller");
      ServeOneAfterAnother();
    }).detach();
    return true;
  } catch (const std::system_error&) {  // a limit of the system or of our control group
    return false;
  }
}

void Watchdog::ServeOneAfterAnother() {
  for (;;) {
    Offer offer;
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
    if (offer.what == Offer::kLead) {
      offer.poller->Lead();
    } else {
      hand_overs_.fetch_add(1, std::memory_order_relaxed);
      offer.poller->Help(offer.what == Offer::kHelpWoken);
    }
  }
}

}  // namespace grpc_cxl::internal
