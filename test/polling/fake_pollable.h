// SPDX-License-Identifier: Apache-2.0
#ifndef GRPC_CXL_TEST_POLLING_FAKE_POLLABLE_H_
#define GRPC_CXL_TEST_POLLING_FAKE_POLLABLE_H_

#include <sys/eventfd.h>

#include <atomic>
#include <cstdint>
#include <functional>

#include "absl/log/check.h"
#include "absl/synchronization/notification.h"
#include "grpc_cxl/base/unique_fd.h"
#include "grpc_cxl/polling/pollable.h"
#include "grpc_cxl/polling/poller.h"
#include "grpc_cxl/polling/watchdog.h"

namespace grpc_cxl::internal {

// One poller for all tests of a process, without helpers, never destroyed.
inline Watchdog* OneWatchdog() {
  static Watchdog* const watchdog = new Watchdog(1, /*cores=*/1);
  return watchdog;
}
inline Poller* OnePoller() { return OneWatchdog()->Assign(); }

// Returns when the leader has run everything that was enqueued before.
inline void Flush(Poller* poller) {
  absl::Notification done;
  poller->Enqueue([&] { done.Notify(); });
  done.WaitForNotification();
}

// A pollable over an eventfd that counts what the poller does with it. Its hooks are set
// before it is added; all else may be used from any thread.
class FakePollable final : public Pollable {
 public:
  FakePollable() : fd_(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) { PCHECK(fd_); }

  // What a peer does: makes the descriptor readable; lets there be work for Run().
  void Signal() { PCHECK(eventfd_write(fd_.get(), 1) == 0); }
  void OfferWork() { work_.store(true, std::memory_order_release); }
  // What OnFdReadable() does by itself unless there is a hook: takes all signals.
  uint64_t TakeSignals() {
    eventfd_t signals = 0;
    return eventfd_read(fd_.get(), &signals) == 0 ? signals : 0;
  }

  std::function<void()> on_readable, on_run, on_falling_asleep;
  std::atomic<int64_t> spin{0};
  bool has_fd = true;  // set before it is added; without it, nothing wakes the poller
  std::atomic<bool> peer_gone{false};

  std::atomic<int> readable_calls{0}, run_calls{0}, naps{0};
  mutable std::atomic<int> looks{0};
  std::atomic<bool> asleep{false};

  int fd() const override { return has_fd ? fd_.get() : -1; }
  bool wakes_us() const override { return has_fd; }
  bool PeerGone() override { return peer_gone; }
  void OnFdReadable() override {
    ++readable_calls;
    on_readable ? on_readable() : static_cast<void>(TakeSignals());
  }
  bool Ready() const override {
    ++looks;
    return work_.load(std::memory_order_acquire);
  }
  void Run() override {
    work_.store(false, std::memory_order_relaxed);
    ++run_calls;
    if (on_run) on_run();
  }
  void PrepareToSleep() override {
    ++naps;
    asleep = true;
    if (on_falling_asleep) on_falling_asleep();
  }
  void Awake() override { asleep = false; }
  WaitTerms wait() const override {
    return {.policy = WaitPolicy::kSpin, .max_spin = absl::Nanoseconds(spin.load())};
  }

 private:
  const UniqueFd fd_;
  std::atomic<bool> work_{false};
};

}  // namespace grpc_cxl::internal

#endif  // GRPC_CXL_TEST_POLLING_FAKE_POLLABLE_H_
