// SPDX-License-Identifier: Apache-2.0
#include "grpc_cxl/arena/available_memory.h"

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

// What the limit of one control group leaves; nothing when it has no limit.
std::optional<int64_t> GroupLeaves(const std::string& group) {
  int64_t most, current;
  if (!absl::SimpleAtoi(Contents(group + "/memory.max"), &most)) return std::nullopt;  // "max"
  if (!absl::SimpleAtoi(Contents(group + "/memory.current"), &current)) return std::nullopt;
  const std::string stat = Contents(group + "/memory.stat");
  const int64_t cache =
      Field(stat, "inactive_file").value_or(0) + Field(stat, "active_file").value_or(0);
  return std::max<int64_t>(0, most - current + cache);
}

}  // namespace

int64_t AvailableMemory(const std::string& root) {
  int64_t available = std::numeric_limits<int64_t>::max();
  if (auto kib = Field(Contents(root + "/proc/meminfo"), "MemAvailable:")) {
    available = *kib * 1024;
  }
  for (std::string_view line : absl::StrSplit(Contents(root + "/proc/self/cgroup"), '\n')) {
    if (!absl::ConsumePrefix(&line, "0::/")) continue;  // version 1
    // A limit of any group on the way up holds for us.
    std::string group(line);
    while (true) {
      if (auto left = GroupLeaves(root + "/sys/fs/cgroup/" + group)) {
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
