// SPDX-License-Identifier: Apache-2.0
#include "grpc_cxl/tools/wake_up_cost.h"

#include <algorithm>
#include <atomic>
#include <thread>
#include <vector>

#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "grpc_cxl/base/shared_word.h"
#include "grpc_cxl/base/steady_clock.h"
#include "grpc_cxl/doorbell/futex.h"

namespace grpc_cxl::internal {
namespace {

constexpr uint32_t kTimes = 200;
constexpr absl::Duration kPause = absl::Microseconds(200);
constexpr int64_t kSecond = 1'000'000'000;

}  // namespace

int64_t MeasureWakeUp() {
  SharedU32 word{0};
  std::atomic<int64_t> woke_ns{0};
  std::atomic<uint32_t> noted{0};
  std::vector<int64_t> took;
  std::thread sleeper([&] {
    for (uint32_t i = 0; i < kTimes; ++i) {
      // acquire: matched by the release below.
      while (word.load(std::memory_order_acquire) == i) FutexWait(word, i, kSecond);
      took.push_back(SteadyNs() - woke_ns.load(std::memory_order_relaxed));
      noted.store(i + 1, std::memory_order_release);  // matched by the acquire below
    }
  });
  for (uint32_t i = 0; i < kTimes; ++i) {
    absl::SleepFor(kPause);
    woke_ns.store(SteadyNs(), std::memory_order_relaxed);
    word.store(i + 1, std::memory_order_release);
    FutexWake(word);
    while (noted.load(std::memory_order_acquire) != i + 1) absl::SleepFor(kPause / 10);
  }
  sleeper.join();
  std::nth_element(took.begin(), took.begin() + kTimes / 2, took.end());
  return took[kTimes / 2];
}

}  // namespace grpc_cxl::internal
