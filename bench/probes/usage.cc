// SPDX-License-Identifier: Apache-2.0
#include "bench/probes/usage.h"

#include <time.h>

#include <filesystem>
#include <fstream>
#include <sstream>
#include <string>
#include <system_error>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"

namespace grpc_cxl::bench {
namespace {

// The process's CPU clock, because /proc/<pid>/stat counts in ticks of 10 ms.
int64_t CpuNanoseconds(pid_t pid) {
  clockid_t clock;
  timespec time;
  if (clock_getcpuclockid(pid, &clock) != 0 || clock_gettime(clock, &time) != 0) return 0;
  return int64_t{time.tv_sec} * 1'000'000'000 + time.tv_nsec;
}

// Field 10 of /proc/<pid>/stat. Field 2, the name, may contain spaces and ')'.
int64_t MinorFaults(pid_t pid) {
  std::ifstream file(absl::StrCat("/proc/", pid, "/stat"));
  std::string line;
  std::getline(file, line);
  std::istringstream fields(line.substr(line.rfind(')') + 1));
  std::string skipped;
  for (int field = 3; field < 10; ++field) fields >> skipped;
  int64_t faults = 0;
  fields >> faults;
  return faults;
}

// The sum of the lines of a status file whose names end with `ending`.
int64_t SumOfLines(const std::string& status_file, const std::string& ending) {
  std::ifstream file(status_file);
  int64_t sum = 0;
  for (std::string line; std::getline(file, line);) {
    std::istringstream fields(line);
    std::string name;
    int64_t value = 0;
    if (fields >> name >> value && absl::EndsWith(name, ending)) sum += value;
  }
  return sum;
}

// The kernel counts them per thread, and forgets the count of a thread that ends.
int64_t ContextSwitches(pid_t pid) {
  int64_t switches = 0;
  std::error_code gone;
  std::filesystem::directory_iterator thread(absl::StrCat("/proc/", pid, "/task"), gone), end;
  for (; !gone && thread != end; thread.increment(gone)) {
    switches += SumOfLines(thread->path() / "status", "voluntary_ctxt_switches:");
  }
  return switches;
}

}  // namespace

Usage UsageOf(pid_t pid) { return {CpuNanoseconds(pid), MinorFaults(pid), ContextSwitches(pid)}; }

Memory MemoryOf(pid_t pid) {
  const std::string file = absl::StrCat("/proc/", pid, "/status");
  return {SumOfLines(file, "RssAnon:") << 10, SumOfLines(file, "RssShmem:") << 10};
}

}  // namespace grpc_cxl::bench
