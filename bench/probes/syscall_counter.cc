// SPDX-License-Identifier: Apache-2.0
#include "bench/probes/syscall_counter.h"

#include <errno.h>
#include <linux/perf_event.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <string>
#include <system_error>
#include <utility>

#include "absl/status/status.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"

namespace grpc_cxl::bench {
namespace {

constexpr char kTracepoint[] = "/sys/kernel/tracing/events/raw_syscalls/sys_enter/id";

}  // namespace

absl::StatusOr<SyscallCounter> SyscallCounter::Start(pid_t pid) {
  uint64_t tracepoint;
  if (!(std::ifstream(kTracepoint) >> tracepoint)) {
    return absl::FailedPreconditionError(
        absl::StrCat("cannot count system calls: cannot read ", kTracepoint,
                     " (as root: mount -t tracefs tracefs /sys/kernel/tracing)"));
  }
  perf_event_attr attributes{};
  attributes.size = sizeof(attributes);
  attributes.type = PERF_TYPE_TRACEPOINT;
  attributes.config = tracepoint;
  attributes.inherit = 1;  // also count threads that these will start

  SyscallCounter counter;
  std::error_code gone;
  std::filesystem::directory_iterator thread(absl::StrCat("/proc/", pid, "/task"), gone), end;
  for (; !gone && thread != end; thread.increment(gone)) {
    int tid = 0;
    if (!absl::SimpleAtoi(thread->path().filename().string(), &tid)) continue;
    internal::UniqueFd event(static_cast<int>(
        syscall(SYS_perf_event_open, &attributes, tid, /*cpu=*/-1, /*group=*/-1, /*flags=*/0)));
    if (event) {
      counter.threads_.push_back(std::move(event));
    } else if (errno != ESRCH) {  // ESRCH: the thread has ended meanwhile
      return absl::FailedPreconditionError(absl::StrCat(
          "cannot count system calls: ", absl::ErrnoToStatus(errno, "perf_event_open").message(),
          " (root or CAP_PERFMON is needed)"));
    }
  }
  return counter;
}

int64_t SyscallCounter::Count() const {
  int64_t sum = 0;
  for (const internal::UniqueFd& event : threads_) {
    int64_t count = 0;
    if (read(event.get(), &count, sizeof(count)) == sizeof(count)) sum += count;
  }
  return sum;
}

}  // namespace grpc_cxl::bench
