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

ABSL_FLAG(std::string, role, "", "internal: what a child process is to do");

namespace grpc_cxl::bench {
namespace {

// glibc gives large freed buffers back to the kernel at once; a message of a megabyte then
// pays for hundreds of page faults, over TCP half of its time. Most allocators keep memory,
// so the processes measured here do as well, whatever the transport: up to 32 MiB a buffer.
// Who wants to see glibc's own thresholds sets these variables to 131072.
void KeepFreedMemory() {
  setenv("MALLOC_MMAP_THRESHOLD_", "33554432", /*overwrite=*/0);
  setenv("MALLOC_TRIM_THRESHOLD_", "1073741824", /*overwrite=*/0);
}

// Abseil without NDEBUG, as Debian builds it, looks for cycles of locks at every lock, a
// quarter of the CPU time of a call. Builds for production do not, so nothing here does.
void ForgetLockCycles() { absl::SetMutexDeadlockDetectionMode(absl::OnDeadlockCycle::kIgnore); }

}  // namespace

int BenchMain(int argc, char** argv, const BenchProgram& program) {
  absl::SetProgramUsageMessage(program.usage);
  absl::ParseCommandLine(argc, argv);
  absl::InitializeLog();
  ForgetLockCycles();
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
  return std::filesystem::path(directory) / flag;  // an absolute one stays as it is
}

}  // namespace grpc_cxl::bench
