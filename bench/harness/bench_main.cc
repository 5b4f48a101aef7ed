// SPDX-License-Identifier: Apache-2.0
#include "bench/harness/bench_main.h"

#include <stdlib.h>

#include <filesystem>

#include "absl/flags/flag.h"
#include "absl/flags/parse.h"
#include "absl/flags/usage.h"
#include "absl/log/initialize.h"
#include "absl/status/status.h"
#include "absl/strings/str_format.h"
#include "absl/synchronization/mutex.h"
#include "bench/harness/interrupt.h"

ABSL_FLAG(std::string, role, "", "internal: the role of a child process");

namespace grpc_cxl::bench {
namespace {

// glibc returns large freed buffers to the kernel at once. A message of 1 MiB then costs hundreds
// of page faults, over TCP half of its time. Most allocators keep such memory, so all processes
// measured here keep buffers of up to 32 MiB. 131072 in these variables restores glibc's defaults.
void KeepFreedMemory() {
  setenv("MALLOC_MMAP_THRESHOLD_", "33554432", /*overwrite=*/0);
  setenv("MALLOC_TRIM_THRESHOLD_", "1073741824", /*overwrite=*/0);
}

// Debian builds Abseil without NDEBUG, and then every lock looks for deadlocks, which takes a
// quarter of the CPU time of a call. Production builds do not.
void DisableDeadlockDetection() {
  absl::SetMutexDeadlockDetectionMode(absl::OnDeadlockCycle::kIgnore);
}

}  // namespace

int BenchMain(int argc, char** argv, const BenchProgram& program) {
  absl::SetProgramUsageMessage(program.usage);
  absl::ParseCommandLine(argc, argv);
  absl::InitializeLog();
  DisableDeadlockDetection();
  if (const auto role = program.roles.find(absl::GetFlag(FLAGS_role));
      role != program.roles.end()) {
    return role->second();
  }
  CatchInterrupts();
  KeepFreedMemory();
  const absl::StatusOr<int> exit_code = program.coordinate();
  if (exit_code.ok()) return *exit_code;
  absl::FPrintF(stderr, "%s: %s\n", program.name, exit_code.status().message());
  return absl::IsCancelled(exit_code.status()) ? 130 : program.exit_code_of_errors;
}

std::string FileOfFlag(const std::string& flag) {
  const char* directory = getenv("BUILD_WORKING_DIRECTORY");
  if (flag.empty() || directory == nullptr) return flag;
  return std::filesystem::path(directory) / flag;  // leaves an absolute path as it is
}

}  // namespace grpc_cxl::bench
