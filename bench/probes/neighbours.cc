// SPDX-License-Identifier: Apache-2.0
#include "bench/probes/neighbours.h"

#include <unistd.h>

#include <algorithm>
#include <fstream>
#include <string>
#include <utility>

#include "bench/probes/usage.h"

namespace grpc_cxl::bench {

Neighbours::Neighbours(std::vector<pid_t> ours) : ours_(std::move(ours)), machine_(Machine()) {
  ours_.push_back(getpid());
  ours_ns_ = OursNs();
}

std::optional<double> Neighbours::Share() const {
  const std::optional<Times> now = Machine();
  if (!now || !machine_ || now->all_ns <= machine_->all_ns) return std::nullopt;
  const double others = now->busy_ns - machine_->busy_ns - (OursNs() - ours_ns_);
  return std::clamp(others / (now->all_ns - machine_->all_ns), 0.0, 1.0);
}

// The first line of /proc/stat, proc_stat(5): the name, then clock ticks of user (which includes
// guest), nice, system, idle, iowait, irq, softirq and steal.
std::optional<Neighbours::Times> Neighbours::Machine() {
  std::ifstream file("/proc/stat");
  std::string name;
  int64_t user, nice, system, idle, iowait, irq, softirq, steal;
  if (!(file >> name >> user >> nice >> system >> idle >> iowait >> irq >> softirq >> steal)) {
    return std::nullopt;
  }
  const int64_t tick_ns = 1'000'000'000 / sysconf(_SC_CLK_TCK);
  const int64_t busy = user + nice + system + irq + softirq + steal;
  return Times{busy * tick_ns, (busy + idle + iowait) * tick_ns};
}

int64_t Neighbours::OursNs() const {
  int64_t sum = 0;
  for (const pid_t pid : ours_) sum += UsageOf(pid).cpu_ns;
  return sum;
}

}  // namespace grpc_cxl::bench
