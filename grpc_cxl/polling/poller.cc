// SPDX-License-Identifier: Apache-2.0
#include "grpc_cxl/polling/poller.h"

#include <errno.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/prctl.h>
#include <time.h>

#include <algorithm>
#include <utility>

#include "absl/log/check.h"
#include "grpc_cxl/base/steady_clock.h"
#include "grpc_cxl/doorbell/yield.h"
#include "grpc_cxl/polling/watchdog.h"

namespace grpc_cxl::internal {
namespace {

// How often descriptors are looked at while a pollable is hot: often enough for a new connection,
// seldom enough to cost little (a look takes about 0.5 us).
constexpr int64_t kLookInterval = 25'000;  // ns

}  // namespace

thread_local Poller* Poller::current_ = nullptr;
thread_local uint64_t Poller::callbacks_ = 0;

Poller::Poller(Watchdog* watchdog, int helpers)
    : watchdog_(watchdog),
      epoll_(epoll_create1(EPOLL_CLOEXEC)),
      poke_(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)),
      taken_(1 + helpers),
      seats_(1 + helpers) {
  PCHECK(epoll_ && poke_)
      << "no file descriptor left for a polling thread; raise the limit (ulimit -n)";
  epoll_event event{};
  event.events = EPOLLIN | EPOLLET;
  event.data.u64 = 0;  // no entry has this id
  PCHECK(epoll_ctl(epoll_.get(), EPOLL_CTL_ADD, poke_.get(), &event) == 0);
}

Poller* Poller::Current() { return current_; }

uint64_t Poller::CurrentCallback() { return current_ == nullptr ? 0 : callbacks_; }

bool Poller::Add(std::shared_ptr<Pollable> pollable) {
  if (owner_ != getpid()) return true;
  auto entry = std::make_shared<Entry>();
  entry->pollable = std::move(pollable);
  entry->active_ns = SteadyNs();
  const bool wakes_us = entry->pollable->wakes_us();
  if (wakes_us) entry->pollable->PrepareToSleep();
  // A peer that published before found us awake, and woke nobody.
  const bool look = !wakes_us || entry->pollable->Ready();
  absl::MutexLock lock(mu_);
  entry->id = next_id_++;
  if (entry->pollable->fd() >= 0) {
    epoll_event event{};
    event.events = EPOLLIN | EPOLLRDHUP | EPOLLET;
    event.data.u64 = entry->id;
    if (epoll_ctl(epoll_.get(), EPOLL_CTL_ADD, entry->pollable->fd(), &event) != 0) return false;
  }
  // The leader takes mu_ before it looks for the event's id.
  entries_[entry->id] = entry;
  if (look) {
    again_.push_back(entry);  // for the leader to begin to look at it
    WakeLeader();
  }
  return true;
}

void Poller::Remove(const Pollable* pollable) {
  if (owner_ != getpid()) return;
  std::shared_ptr<Entry> entry;  // dropped after the lock: it may be the last reference
  absl::MutexLock lock(mu_);
  const auto it = std::find_if(entries_.begin(), entries_.end(), [pollable](const auto& e) {
    return e.second->pollable.get() == pollable;
  });
  if (it == entries_.end()) return;
  entry = std::move(it->second);
  entries_.erase(it);
  // Matched by the acquire loads of the leader, which drops what is removed.
  entry->removed.store(true, std::memory_order_release);
  if (pollable->fd() >= 0) epoll_ctl(epoll_.get(), EPOLL_CTL_DEL, pollable->fd(), nullptr);
}

void Poller::WakeLeader() {
  if (!sleeping_) return;
  sleeping_ = false;
  poked_ns_ = SteadyNs();
  eventfd_write(poke_.get(), 1);
}

void Poller::Lead() {
  current_ = this;
  int64_t looked = SteadyNs();
  int64_t began = looked;  // the turn
  waits_.Begin(looked);
  for (;;) {
    bool progress = false;
    for (const auto step :
         {&Poller::RunQueue, &Poller::RunDeferred, &Poller::RunReadable, &Poller::RunHot}) {
      const Turn turn = (this->*step)(seats_[0]);
      if (turn == Turn::kDeposed) {
        current_ = nullptr;
        return;
      }
      progress |= turn == Turn::kProgress;
    }
    const int64_t now = SteadyNs();
    progress ? waits_.Worked(began, now) : waits_.FoundNothing();
    if (progress) watchdog_->NoteProgress(now);
    const bool look = now - looked > kLookInterval;
    // A leader with work is awake anyway; a hot pollable costs it only a look.
    if (!progress || look) Cool(now);
    LookAtNapping(now);
    began = now;
    if (hot_.empty() && readable_.empty() && queue_.empty()) {
      WaitForEvents(/*may_sleep=*/true, now);
      looked = began = SteadyNs();
    } else if (look) {
      WaitForEvents(/*may_sleep=*/false, now);
      looked = now;
    } else if (!progress) {
      const Yielded yielded = Yield(now);
      began = yielded.now_ns;
      waits_.Yielded(yielded.away_ns);
    }
  }
}

bool Poller::Call(Seat& seat, int64_t now, const std::shared_ptr<Entry>& entry,
                  absl::FunctionRef<void()> callback) {
  ++callbacks_;
  if (seat.Call(
          now, [this, now] { watchdog_->NoteBusy(now); }, callback))
    return true;
  // The callback may have read bytes off the descriptor after the new leader had put the
  // pollable to sleep. The new leader gets no event for those bytes, so it is told here.
  if (entry != nullptr) {
    absl::MutexLock lock(mu_);
    again_.push_back(entry);
    WakeLeader();
  }
  return false;
}

Poller::Turn Poller::RunReadable(Seat& seat) {
  if (readable_.empty()) return Turn::kNothing;
  while (!readable_.empty()) {
    const std::shared_ptr<Entry> entry = std::move(readable_.front());
    readable_.pop_front();
    if (entry->removed.load(std::memory_order_acquire)) continue;
    const int64_t now = SteadyNs();
    if (!entry->hot) {
      entry->pollable->Awake();
      std::erase(napping_, entry);
      Heat(entry, now);
    }
    if (!Call(seat, now, entry, [&] { entry->pollable->OnFdReadable(); })) return Turn::kDeposed;
  }
  return Turn::kProgress;
}

Poller::Turn Poller::RunHot(Seat& seat) {
  Turn turn = Turn::kNothing;
  int64_t now = 0;  // not known yet
  for (size_t i = 0; i < hot_.size(); ++i) {
    if (!hot_[i]->pollable->Ready()) continue;
    const std::shared_ptr<Entry> entry = hot_[i];
    if (entry->removed.load(std::memory_order_acquire)) continue;
    if (now == 0) now = SteadyNs();
    if (!Call(seat, now, entry, [&] { entry->pollable->Run(); })) return Turn::kDeposed;
    entry->active_ns = now = SteadyNs();
    entry->naps = BackOff();
    turn = Turn::kProgress;
  }
  return turn;
}

void Poller::Heat(const std::shared_ptr<Entry>& entry, int64_t now) {
  entry->hot = true;
  entry->budget = waits_.Budget(entry->pollable->wait());
  entry->active_ns = now;
  hot_.push_back(entry);
}

void Poller::Cool(int64_t now) {
  // One of n that share the thread may well have no work for n times as long as the thread.
  const auto share = static_cast<int64_t>(hot_.size());
  size_t kept = 0;
  for (std::shared_ptr<Entry>& entry : hot_) {
    if (entry->removed.load(std::memory_order_acquire)) {
      entry->hot = false;
      entry = nullptr;
      continue;
    }
    Pollable& pollable = *entry->pollable;
    const int64_t spin = entry->budget->nanoseconds();
    if (waits_.idle_ns(now) >= spin || now - entry->active_ns >= share * spin) {
      pollable.PrepareToSleep();
      if (!pollable.Ready()) {
        entry->hot = false;
        entry->active_ns = now;
        if (!pollable.wakes_us()) {
          entry->look_ns = now + entry->naps.Next();
          napping_.push_back(std::move(entry));
        }
        entry = nullptr;
        continue;
      }
      pollable.Awake();
    }
    if (&hot_[kept] != &entry) hot_[kept] = std::move(entry);
    ++kept;
  }
  hot_.resize(kept);
}

void Poller::LookAtNapping(int64_t now) {
  size_t kept = 0;
  for (std::shared_ptr<Entry>& entry : napping_) {
    bool naps_on = !entry->removed.load(std::memory_order_acquire);
    if (naps_on && now >= entry->look_ns) {
      Pollable& pollable = *entry->pollable;
      if (pollable.Ready()) {
        // Half of the nap too late, as a guess.
        waits_.Slept(entry->active_ns, now - (now - entry->active_ns) / 2, now);
        Heat(entry, now);
        naps_on = false;
      } else if (pollable.PeerGone()) {
        readable_.push_back(entry);
      }
      entry->active_ns = now;
      entry->look_ns = now + (naps_on ? entry->naps.Next() : 0);
    }
    if (!naps_on) {
      entry = nullptr;
    } else {
      if (&napping_[kept] != &entry) napping_[kept] = std::move(entry);
      ++kept;
    }
  }
  napping_.resize(kept);
}

int Poller::Wait(epoll_event* events, int most, int64_t timeout_ns) {
  if (timeout_ns <= 0) return epoll_wait(epoll_.get(), events, most, timeout_ns < 0 ? -1 : 0);
  // The default slack adds 50 us to each nap.
  thread_local const int punctual = prctl(PR_SET_TIMERSLACK, 1, 0, 0, 0);
  static_cast<void>(punctual);
  timespec timeout;
  timeout.tv_sec = timeout_ns / 1'000'000'000;
  timeout.tv_nsec = timeout_ns % 1'000'000'000;
  const int count = epoll_pwait2(epoll_.get(), events, most, &timeout, nullptr);
  if (count >= 0 || errno == EINTR) return count;
  // Kernels before 5.11, and filters of system calls (seccomp) that do not know it.
  return epoll_wait(epoll_.get(), events, most, 1);
}

void Poller::WaitForEvents(bool may_sleep, int64_t now) {
  int64_t timeout_ns = may_sleep ? -1 : 0;
  if (may_sleep && !napping_.empty()) {
    const auto next =
        std::min_element(napping_.begin(), napping_.end(),
                         [](const auto& a, const auto& b) { return a->look_ns < b->look_ns; });
    timeout_ns = std::max<int64_t>(0, (*next)->look_ns - SteadyNs());
  }
  if (may_sleep) {
    absl::MutexLock lock(mu_);
    may_sleep = queue_.empty() && again_.empty();
    sleeping_ = may_sleep;
  }
  epoll_event events[64];
  const int count = Wait(events, 64, may_sleep ? timeout_ns : 0);
  const int64_t then = SteadyNs();
  int64_t woken_ns = INT64_MAX;  // the first of those that have woken us
  const auto note = [&](int64_t ns) {
    if (ns >= now && ns <= then) woken_ns = std::min(woken_ns, ns);
  };
  absl::MutexLock lock(mu_);
  sleeping_ = false;
  for (int i = 0; i < count; ++i) {
    const uint64_t key = events[i].data.u64;  // a copy: epoll_event is packed
    if (key == 0) {
      eventfd_t ignored;
      eventfd_read(poke_.get(), &ignored);
      note(poked_ns_);
    } else if (const auto it = entries_.find(key); it != entries_.end()) {
      readable_.push_back(it->second);
      note(it->second->pollable->WokenAt());
    }
  }
  if (may_sleep) waits_.Slept(now, woken_ns, then);
  for (std::shared_ptr<Entry>& entry : again_) readable_.push_back(std::move(entry));
  again_.clear();
}

}  // namespace grpc_cxl::internal
