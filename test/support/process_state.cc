// SPDX-License-Identifier: Apache-2.0
#include "test/support/process_state.h"

#include <fcntl.h>
#include <stdio.h>

#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>

#include "absl/log/check.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"

namespace grpc_cxl::internal {

int CountOpenFiles(pid_t pid) {
  const std::filesystem::directory_iterator files(absl::StrCat("/proc/", pid, "/fd"));
  return static_cast<int>(std::distance(begin(files), end(files))) - (pid == getpid() ? 1 : 0);
}

int CountArenas(pid_t pid) {
  std::ifstream maps(absl::StrCat("/proc/", pid, "/maps"));
  int count = 0;
  for (std::string line; std::getline(maps, line);) {
    count += absl::StrContains(line, "/memfd:grpc_cxl");
  }
  return count;
}

int64_t ArenaBytesResident(pid_t pid) {
  std::ifstream maps(absl::StrCat("/proc/", pid, "/smaps"));
  bool arena = false;
  int64_t kib, sum = 0;
  for (std::string line; std::getline(maps, line);) {
    unsigned long begin, end;
    if (sscanf(line.c_str(), "%lx-%lx ", &begin, &end) == 2) {
      arena = absl::StrContains(line, "/memfd:grpc_cxl");
    } else if (arena && sscanf(line.c_str(), "Pss: %ld kB", &kib) == 1) {
      sum += kib << 10;
    }
  }
  return sum;
}

NoMoreFiles::NoMoreFiles() {
  PCHECK(getrlimit(RLIMIT_NOFILE, &before_) == 0);
  const int lowest_free = open("/dev/null", O_RDONLY | O_CLOEXEC);
  PCHECK(lowest_free >= 0);
  close(lowest_free);
  const rlimit full{static_cast<rlim_t>(lowest_free), before_.rlim_max};
  PCHECK(setrlimit(RLIMIT_NOFILE, &full) == 0);
}

NoMoreFiles::~NoMoreFiles() { PCHECK(setrlimit(RLIMIT_NOFILE, &before_) == 0); }

}  // namespace grpc_cxl::internal
