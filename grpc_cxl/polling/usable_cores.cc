// SPDX-License-Identifier: Apache-2.0
#include "grpc_cxl/polling/usable_cores.h"

#include <sched.h>

#include <algorithm>
#include <cstdint>
#include <fstream>
#include <string_view>
#include <thread>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_split.h"

namespace grpc_cxl::internal {
namespace {

int CoresOfAffinity() {
  cpu_set_t cores;
  CPU_ZERO(&cores);
  // Fails with more than 1024 cores.
  if (sched_getaffinity(0, sizeof(cores), &cores) == 0) return CPU_COUNT(&cores);
  return static_cast<int>(std::thread::hardware_concurrency());
}

// The words of a short file of the kernel.
std::vector<std::string> Words(const std::string& path) {
  std::ifstream file(path);
  std::vector<std::string> words;
  for (std::string word; file >> word;) words.push_back(word);
  return words;
}

// `cores` or, if that is less, what the quota of one control group allows. An endless quota is
// "max" (version 2) or -1.
int AtMost(int cores, const std::string& quota, const std::string& period) {
  int64_t share, whole;
  if (!absl::SimpleAtoi(quota, &share) || share <= 0) return cores;
  if (!absl::SimpleAtoi(period, &whole) || whole <= 0) return cores;
  return static_cast<int>(std::min<int64_t>(cores, (share + whole - 1) / whole));
}

}  // namespace

int UsableCores(const std::string& root) {
  int cores = CoresOfAffinity();
  for (const std::string& line : Words(root + "/proc/self/cgroup")) {
    // Hierarchy, controllers, group: "0::/a/b" (version 2) or "4:cpu,cpuacct:/a/b".
    const std::vector<std::string> fields = absl::StrSplit(line, absl::MaxSplits(':', 2));
    if (fields.size() != 3) continue;
    const std::vector<std::string> controllers = absl::StrSplit(fields[1], ',');
    const bool first =
        std::find(controllers.begin(), controllers.end(), "cpu") != controllers.end();
    if (!first && !fields[1].empty()) continue;
    // The quota of any group on the way up holds for us.
    for (std::string group = fields[2];; group.resize(group.rfind('/'))) {
      const std::string path = root + "/sys/fs/cgroup" + (first ? "/cpu" : "") + group;
      if (first) {
        const auto quota = Words(path + "/cpu.cfs_quota_us");
        const auto period = Words(path + "/cpu.cfs_period_us");
        if (!quota.empty() && !period.empty()) cores = AtMost(cores, quota[0], period[0]);
      } else if (const auto most = Words(path + "/cpu.max"); most.size() == 2) {
        cores = AtMost(cores, most[0], most[1]);
      }
      if (group.rfind('/') == std::string::npos) break;
    }
  }
  return std::max(cores, 1);
}

}  // namespace grpc_cxl::internal
