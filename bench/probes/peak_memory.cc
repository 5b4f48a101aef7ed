// SPDX-License-Identifier: Apache-2.0
#include "bench/probes/peak_memory.h"

#include <algorithm>
#include <cstdio>
#include <fstream>
#include <string>

#include "absl/strings/str_cat.h"

namespace grpc_cxl::bench {
namespace {

// proc(5): VmHWM.
double PeakKiB(pid_t pid) {
  std::ifstream status(absl::StrCat("/proc/", pid, "/status"));
  double kib = 0;
  for (std::string line; std::getline(status, line);) {
    if (std::sscanf(line.c_str(), "VmHWM: %lf kB", &kib) == 1) break;
  }
  return kib;
}

}  // namespace

PeakMemory::PeakMemory(pid_t pid) : pid_(pid) {
  // proc(5): 5 sets the peak to what is in memory now.
  std::ofstream(absl::StrCat("/proc/", pid, "/clear_refs")) << 5;
  at_start_kib_ = PeakKiB(pid);
}

double PeakMemory::GainedMiB() const { return std::max(PeakKiB(pid_) - at_start_kib_, 0.0) / 1024; }

}  // namespace grpc_cxl::bench
