// SPDX-License-Identifier: Apache-2.0
#include "grpc_cxl/arena/available_memory.h"

#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <fstream>
#include <limits>
#include <optional>
#include <sstream>
#include <string_view>

#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"

namespace grpc_cxl::internal {
namespace {

// These files tell no size; they are read until their end.
std::string Contents(const std::string& path) {
  std::ostringstream text;
  text << std::ifstream(path).rdbuf();
  return text.str();
}

// The number after `key` in lines like "MemAvailable:  123 kB" or "inactive_file 123".
std::optional<int64_t> Field(std::string_view text, std::string_view key) {
  for (std::string_view line : absl::StrSplit(text, '\n')) {
    const std::vector<std::string_view> words =
        absl::StrSplit(line, absl::ByAnyChar(" \t"), absl::SkipEmpty());
    int64_t value;
    if (words.size() >= 2 && words[0] == key && absl::SimpleAtoi(words[1], &value)) return value;
  }
  return std::nullopt;
}

// The files of a memory controller, by the version of control groups.
struct Controller {
  const char* folder;
  const char *limit, *use;
  const char *inactive, *active;  // file cache, in memory.stat; the group's children included
};
constexpr Controller kVersion2 = {"/sys/fs/cgroup/", "/memory.max", "/memory.current",
                                  "inactive_file", "active_file"};
constexpr Controller kVersion1 = {"/sys/fs/cgroup/memory/", "/memory.limit_in_bytes",
                                  "/memory.usage_in_bytes", "total_inactive_file",
                                  "total_active_file"};

// Version 1 says some huge number where there is no limit.
constexpr int64_t kUnlimited = int64_t{1} << 60;

// What the limit of one control group leaves; nothing when it has no limit.
std::optional<int64_t> GroupLeaves(const std::string& group, const Controller& controller) {
  int64_t most, current;
  if (!absl::SimpleAtoi(Contents(group + controller.limit), &most)) return std::nullopt;  // "max"
  if (most > kUnlimited) return std::nullopt;
  if (!absl::SimpleAtoi(Contents(group + controller.use), &current)) return std::nullopt;
  const std::string stat = Contents(group + "/memory.stat");
  const int64_t cache =
      Field(stat, controller.inactive).value_or(0) + Field(stat, controller.active).value_or(0);
  return std::max<int64_t>(0, most - current + cache);
}

// The controller of a line of /proc/self/cgroup, and the group that the line names.
const Controller* ConsumeController(std::string_view& line) {
  if (absl::ConsumePrefix(&line, "0::/")) return &kVersion2;
  const std::vector<std::string_view> parts = absl::StrSplit(line, absl::MaxSplits(':', 2));
  if (parts.size() != 3 || !absl::StartsWith(parts[2], "/")) return nullptr;
  const std::vector<std::string_view> names = absl::StrSplit(parts[1], ',');
  if (std::find(names.begin(), names.end(), "memory") == names.end()) return nullptr;
  line = parts[2].substr(1);
  return &kVersion1;
}

}  // namespace

int64_t AddressSpaceLeft() {
  rlimit limit;
  int64_t pages;
  if (getrlimit(RLIMIT_AS, &limit) != 0 || limit.rlim_cur == RLIM_INFINITY) {
    return std::numeric_limits<int64_t>::max();
  }
  const std::string statm = Contents("/proc/self/statm");
  if (!absl::SimpleAtoi(statm.substr(0, statm.find(' ')), &pages)) pages = 0;
  return std::max<int64_t>(0, static_cast<int64_t>(limit.rlim_cur) - pages * sysconf(_SC_PAGESIZE));
}

int64_t AvailableMemory(const std::string& root) {
  int64_t available = std::numeric_limits<int64_t>::max();
  if (auto kib = Field(Contents(root + "/proc/meminfo"), "MemAvailable:")) {
    available = std::min(available, *kib * 1024);
  }
  for (std::string_view line : absl::StrSplit(Contents(root + "/proc/self/cgroup"), '\n')) {
    const Controller* const controller = ConsumeController(line);
    if (controller == nullptr) continue;
    // A limit of any group on the way up holds for us. A container may see its own group as the
    // root, whatever the line says.
    std::string group(line);
    while (true) {
      if (auto left = GroupLeaves(root + controller->folder + group, *controller)) {
        available = std::min(available, *left);
      }
      if (group.empty()) break;
      const size_t slash = group.rfind('/');
      group.resize(slash == std::string::npos ? 0 : slash);
    }
  }
  return available;
}

}  // namespace grpc_cxl::internal
