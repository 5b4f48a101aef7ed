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
#include "grpc_cxl/base/steady_clock.h"

namespace grpc_cxl::internal {
namespace {

// How long a thread waits for other work after it was replaced in a blocked callback.
constexpr absl::Duration kIdleThreadLife = absl::Seconds(10);

// Helpers of one poller at most: beyond that its queue is what limits.
constexpr int kMostHelpers = 63;

}  // namespace

Watchdog::Watchdog(int pollers, int cores)
    : timer_(timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC)), cores_(cores), pollers_(pollers) {
  PCHECK(timer_) << "no file descriptor left for the polling threads; raise the limit (ulimit -n)";
  for (auto& poller : pollers_) {
    poller = std::make_unique<Poller>(this, std::clamp(cores - 1, 0, kMostHelpers));
  }
  std::thread([this] {
    pthread_setname_np(pthread_self(), "cxl_watchdog");
    Watch();
  }).detach();
  for (const auto& poller : pollers_) {
    CHECK(Staff(poller.get())) << "no thread left for polling";
  }
}

Poller* Watchdog::Assign() {
  return pollers_[next_.fetch_add(1, std::memory_order_relaxed) % pollers_.size()].get();
}

void Watchdog::Arm(int64_t due_ns) {
  absl::MutexLock lock(timer_mu_);
  if (armed_.load(std::memory_order_relaxed) && due_ns_.load(std::memory_order_relaxed) <= due_ns) {
    return;
  }
  SetTimer(due_ns);
}

void Watchdog::PutOff(int64_t now) {
  if (caller_count_.load(std::memory_order_relaxed) > 0) return;
  for (const auto& poller : pollers_) {
    if (poller->MayBeInCallback()) return;
  }
  absl::MutexLock lock(timer_mu_);
  if (DueSoon(now)) SetTimer(now + kLookNs);
}

void Watchdog::SetTimer(int64_t due_ns) {
  armed_.store(true, std::memory_order_seq_cst);
  due_ns_.store(due_ns, std::memory_order_relaxed);
  itimerspec once{};
  once.it_value.tv_sec = due_ns / 1'000'000'000;
  once.it_value.tv_nsec = due_ns % 1'000'000'000;
  PCHECK(timerfd_settime(timer_.get(), TFD_TIMER_ABSTIME, &once, nullptr) == 0);
}

void Watchdog::Watch() {
  for (;;) {
    uint64_t expirations;
    if (read(timer_.get(), &expirations, sizeof(expirations)) < 0) continue;  // EINTR
    {
      absl::MutexLock lock(timer_mu_);
      armed_.store(false, std::memory_order_seq_cst);  // step a
    }
    const int64_t now = SteadyNs();
    int64_t next = kNever;
    for (const auto& poller : pollers_) next = std::min(next, Look(*poller, now));
    next = std::min(next, LookAtCallers(now));
    if (next != kNever) Arm(next);
  }
}

int64_t Watchdog::Look(Poller& poller, int64_t now) {
  int64_t next = kNever;
  for (size_t i = 0; i < poller.seats(); ++i) {
    const uint64_t busy = poller.seat(i).busy();  // step b
    if (busy % 2 == 0) continue;
    const int64_t blocked_ns = poller.seat(i).began_ns() + kBlockedNs;
    if (now < blocked_ns) {
      next = std::min(next, blocked_ns);
      continue;
    }
    if (!poller.VacateIfStuckIn(i, busy)) continue;
    takeovers_.fetch_add(1, std::memory_order_relaxed);
    if (!Staff(&poller)) {
      LOG_EVERY_N_SEC(ERROR, 1)
          << "a callback blocks a polling thread of grpc_cxl, and no other thread can be "
             "started; its connections wait until a callback returns";
    }
  }
  return next;
}

int64_t Watchdog::LookAtCallers(int64_t now) {
  int64_t next = kNever;
  absl::MutexLock lock(callers_mu_);
  for (CallersQueue* const queue : callers_) {
    const uint64_t busy = queue->seat().busy();  // step b
    if (busy % 2 == 0) continue;
    const int64_t blocked_ns = queue->seat().began_ns() + kBlockedNs;
    if (now < blocked_ns) {
      next = std::min(next, blocked_ns);
    } else if (queue->VacateIfStuckIn(busy)) {
      takeovers_.fetch_add(1, std::memory_order_relaxed);
    }
  }
  return next;
}

void Watchdog::Enter(CallersQueue* queue) {
  absl::MutexLock lock(callers_mu_);
  callers_.push_back(queue);
  caller_count_.fetch_add(1, std::memory_order_relaxed);
}

void Watchdog::Leave(CallersQueue* queue) {
  absl::MutexLock lock(callers_mu_);
  std::erase(callers_, queue);
  caller_count_.fetch_sub(1, std::memory_order_relaxed);
}

bool Watchdog::HasFreeCore(int besides) const {
  int working = besides;
  for (const auto& poller : pollers_) working += poller->working();
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
