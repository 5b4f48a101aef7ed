// SPDX-License-Identifier: Apache-2.0
#include "examples/hotel_reservation/launcher/other_programs.h"

#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <fstream>
#include <string>
#include <thread>

#include "absl/time/clock.h"

namespace hotel_reservation {
namespace {

// Of all programs of the machine, and what the hypervisor took. Interrupts do not count: they may
// be the experiment's own packets.
absl::Duration UsedByAll() {
  std::ifstream stat("/proc/stat");
  std::string cpu;
  int64_t user = 0, nice = 0, system = 0, idle = 0, waiting = 0, irq = 0, softirq = 0, stolen = 0;
  stat >> cpu >> user >> nice >> system >> idle >> waiting >> irq >> softirq >> stolen;
  return absl::Seconds(user + nice + system + stolen) / sysconf(_SC_CLK_TCK);
}

// Of this process, or of those that it started and that have ended.
absl::Duration Used(int who) {
  rusage usage = {};
  getrusage(who, &usage);
  return absl::DurationFromTimeval(usage.ru_utime) + absl::DurationFromTimeval(usage.ru_stime);
}

}  // namespace

OtherPrograms::OtherPrograms(const std::vector<std::unique_ptr<Cluster>>& clusters)
    : clusters_(clusters), start_(absl::Now()), used_at_start_(Now()) {}

double OtherPrograms::Share() const {
  const absl::Duration all =
      (absl::Now() - start_) * std::max(1u, std::thread::hardware_concurrency());
  return std::max(absl::FDivDuration(Now() - used_at_start_, all), 0.0);
}

absl::Duration OtherPrograms::Now() const {
  absl::Duration ours = Used(RUSAGE_SELF) + Used(RUSAGE_CHILDREN);
  for (const std::unique_ptr<Cluster>& cluster : clusters_) ours += cluster->CpuTime();
  return UsedByAll() - ours;
}

}  // namespace hotel_reservation
