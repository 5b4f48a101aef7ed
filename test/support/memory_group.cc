// SPDX-License-Identifier: Apache-2.0
#include "test/support/memory_group.h"

#include <errno.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <fstream>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"

namespace grpc_cxl::internal {
namespace {

// The number behind `key`, or the first one when it is empty; -1: none.
int64_t Number(const std::string& path, const std::string& key = "") {
  std::ifstream file(path);
  std::string word;
  int64_t number = -1;
  if (key.empty()) {
    file >> number;
    return file ? number : -1;
  }
  while (file >> word) {
    if (word == key && file >> number) return number;
  }
  return -1;
}

// Our own group's folder, where the memory controller is.
std::string OwnFolder(bool* version2) {
  std::ifstream groups("/proc/self/cgroup");
  std::string unified;
  for (std::string line; std::getline(groups, line);) {
    const std::vector<std::string> parts = absl::StrSplit(line, absl::MaxSplits(':', 2));
    if (parts.size() != 3) continue;
    if (parts[1] == "memory") return "/sys/fs/cgroup/memory" + parts[2];
    if (parts[0] == "0") unified = "/sys/fs/cgroup" + parts[2];
  }
  *version2 = true;
  return unified;
}

}  // namespace

MemoryGroup::MemoryGroup(int64_t limit) {
  folder_ = absl::StrCat(OwnFolder(&version2_), "/grpc_cxl-test-", getpid());
  const std::string file = folder_ + (version2_ ? "/memory.max" : "/memory.limit_in_bytes");
  if (mkdir(folder_.c_str(), 0755) != 0) {
    why_none_ = absl::StrCat("no control group can be made at ", folder_, ": ", strerror(errno));
    return;
  }
  std::ofstream max(file);
  max << limit << std::flush;
  if (!max || Number(file) != limit) {
    why_none_ = absl::StrCat(file, " cannot be set: the memory controller is not delegated");
  }
}

MemoryGroup::~MemoryGroup() { rmdir(folder_.c_str()); }

int64_t MemoryGroup::most_bytes_used() const {
  return Number(folder_ + (version2_ ? "/memory.peak" : "/memory.max_usage_in_bytes"));
}

int64_t MemoryGroup::kills() const {
  return Number(folder_ + (version2_ ? "/memory.events" : "/memory.oom_control"), "oom_kill");
}

}  // namespace grpc_cxl::internal
