// SPDX-License-Identifier: Apache-2.0
#include "test/e2e/child.h"

#include <unistd.h>

#include <fstream>
#include <optional>

#include "absl/log/check.h"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"

namespace grpc_cxl::e2e {

int64_t Child::AllocatedBytes() {
  Write("?");
  const std::optional<std::string> line = ReadLine();
  int64_t bytes = 0;
  CHECK(line.has_value() && absl::SimpleAtoi(absl::StripPrefix(*line, "heap "), &bytes))
      << "the child does not answer";
  return bytes;
}

int CountSharedMappings(pid_t pid) {
  std::ifstream maps(absl::StrCat("/proc/", pid, "/maps"));
  int count = 0;
  for (std::string line; std::getline(maps, line);) count += absl::StrContains(line, "memfd:");
  return count;
}

int64_t ResidentBytes(pid_t pid) {
  std::ifstream statm(absl::StrCat("/proc/", pid, "/statm"));
  int64_t total = 0, resident = 0;
  statm >> total >> resident;
  return resident * sysconf(_SC_PAGESIZE);
}

}  // namespace grpc_cxl::e2e
