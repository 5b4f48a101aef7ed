#include "grpc_cxl/event_engine/closure_times.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <vector>

#include "absl/strings/numbers.h"
#include "absl/strings/str_split.h"
#include "absl/strings/string_view.h"
#include "grpc_cxl/base/steady_clock.h"
#include "grpc_cxl/base/unique_fd.h"

namespace grpc_cxl {
namespace {

constexpr int64_t kShort = 50'000;       // ns
constexpr int64_t kLongest = 5'000'000;  // ns
constexpr int kWatched = 64;             // closures after a suspicious one

// How long the calling thread has waited for a core since it began, in nanoseconds: the second
// number of its schedstat (Documentation/scheduler/sched-stats.rst). 0 where the kernel keeps
// none, so that all waiting counts.
int64_t WaitedForACoreNs() {
  thread_local const UniqueFd file(open("/proc/thread-self/schedstat", O_RDONLY | O_CLOEXEC));
  char text[64];
  const ssize_t bytes = file ? pread(file.get(), text, sizeof(text), 0) : 0;
  const std::vector<absl::string_view> numbers =
      absl::StrSplit(absl::string_view(text, bytes > 0 ? bytes : 0), ' ');
  int64_t waited_ns = 0;
  return numbers.size() > 1 && absl::SimpleAtoi(numbers[1], &waited_ns) ? waited_ns : 0;
}

}  // namespace

bool ClosureTimes::AreShort() const { return average_ns_.load(std::memory_order_relaxed) < kShort; }

void ClosureTimes::Note(int64_t nanoseconds) {
  const int64_t average = average_ns_.load(std::memory_order_relaxed);
  average_ns_.store(average + (std::min(nanoseconds, kLongest) - average) / 8,
                    std::memory_order_relaxed);
}

ClosureTimes::Timing::Timing(ClosureTimes& times, int64_t start_ns, bool always_thorough)
    : times_(times), start_ns_(start_ns) {
  const int suspicion = times_.suspicion_.load(std::memory_order_relaxed);
  if (suspicion > 0) times_.suspicion_.store(suspicion - 1, std::memory_order_relaxed);
  if (suspicion > 0 || always_thorough) waited_ns_ = WaitedForACoreNs();
}

int64_t ClosureTimes::Timing::End() {
  const int64_t now = SteadyNs();
  const int64_t took_ns = now - start_ns_;
  if (took_ns < kShort) {
    times_.Note(took_ns);
    return now;
  }
  times_.suspicion_.store(kWatched, std::memory_order_relaxed);
  if (waited_ns_.has_value()) {
    times_.Note(std::max<int64_t>(0, took_ns - (WaitedForACoreNs() - *waited_ns_)));
  }
  return now;
}

}  // namespace grpc_cxl
