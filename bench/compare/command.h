// SPDX-License-Identifier: Apache-2.0
#ifndef GRPC_CXL_BENCH_COMPARE_COMMAND_H_
#define GRPC_CXL_BENCH_COMPARE_COMMAND_H_

#include <string>
#include <vector>

#include "absl/status/statusor.h"

namespace grpc_cxl::bench {

// What becomes of a program's standard output and standard error.
enum class Output {
  kKept,           // both
  kErrorsDropped,  // the former is kept
  kShown,          // both go to standard error
};

// Another program: found in $PATH, in a process group of its own, without standard input.
struct Command {
  std::vector<std::string> argv;
  std::string directory = {};  // to run in; empty: this process's
  Output output = Output::kKept;
  bool runs_to_its_end = false;  // even after Ctrl-C: for what cleans up
};

struct CommandResult {
  int exit_code = 0;   // 128 + the signal that killed it
  std::string output;  // that was kept
  bool ok() const { return exit_code == 0; }
};

// Runs it to its end. CANCELLED after Ctrl-C, which ends it first: by SIGINT, after a while by
// SIGKILL.
absl::StatusOr<CommandResult> Run(const Command& command);

}  // namespace grpc_cxl::bench

#endif  // GRPC_CXL_BENCH_COMPARE_COMMAND_H_
