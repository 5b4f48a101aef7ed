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

constexpr int64_t kShort = 50'000;  // ns
// More counts as so much: one long closure must not hide the short ones for ever.
constexpr int64_t kLongest = 5'000'000;  // ns

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

void Follow(std::atomic<int64_t>& average, int64_t ns) {
  const int64_t old = average.load(std::memory_order_relaxed);
  average.store(old + (std::clamp<int64_t>(ns, 0, kLongest) - old) / 8, std::memory_order_relaxed);
}

}  // namespace

bool ClosureTimes::AreShort() const {
  return took_ns_.load(std::memory_order_relaxed) < kShort ||
         worked_ns_.load(std::memory_order_relaxed) < kShort;
}

void ClosureTimes::Note(int64_t took_ns, std::optional<int64_t> worked_ns) {
  Follow(took_ns_, took_ns);
  if (worked_ns.has_value()) Follow(worked_ns_, *worked_ns);
}

ClosureTimes::Timing::Timing(ClosureTimes& times, int64_t start_ns)
    : times_(times), start_ns_(start_ns) {
  if (times_.took_ns_.load(std::memory_order_relaxed) >= kShort) waited_ns_ = WaitedForACoreNs();
}

int64_t ClosureTimes::Timing::End() {
  const int64_t now = SteadyNs();
  const int64_t took_ns = now - start_ns_;
  std::optional<int64_t> worked_ns;
  if (waited_ns_.has_value()) worked_ns = took_ns - (WaitedForACoreNs() - *waited_ns_);
  times_.Note(took_ns, worked_ns);
  return now;
}

}  // namespace grpc_cxl
