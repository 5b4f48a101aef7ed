#include "bench/usage.h"

#include <time.h>

#include <fstream>
#include <sstream>
#include <string>

#include "absl/strings/str_cat.h"

namespace grpc_cxl::bench {
namespace {

// The process's CPU clock: nanoseconds, where /proc/<pid>/stat has only ticks of 10 ms.
int64_t CpuNanoseconds(pid_t pid) {
  clockid_t clock;
  timespec time;
  if (clock_getcpuclockid(pid, &clock) != 0 || clock_gettime(clock, &time) != 0) return 0;
  return int64_t{time.tv_sec} * 1'000'000'000 + time.tv_nsec;
}

// Field 10 of /proc/<pid>/stat, counted behind the name, which may contain anything.
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

}  // namespace

Usage UsageOf(pid_t pid) { return {CpuNanoseconds(pid), MinorFaults(pid)}; }

}  // namespace grpc_cxl::bench
