// SPDX-License-Identifier: Apache-2.0
#ifndef GRPC_CXL_BENCH_HARNESS_BENCH_MAIN_H_
#define GRPC_CXL_BENCH_HARNESS_BENCH_MAIN_H_

#include <functional>
#include <map>
#include <string>

#include "absl/status/statusor.h"

namespace grpc_cxl::bench {

// A benchmark program: a coordinator, and child processes that run the same program with
// --role=NAME (child_process.h).
struct BenchProgram {
  std::string name;   // for error messages
  std::string usage;  // for --help
  // By role: the main() of a child process, which returns its exit code.
  std::map<std::string, std::function<int()>> roles;
  // The main() of the coordinator; returns its exit code.
  std::function<absl::StatusOr<int>()> coordinate;
  int exit_code_of_errors = 1;
};

// The main() of the program: parses flags, configures the process, runs its role. Prints an
// error and returns the exit code; 130 after Ctrl-C, as shells expect.
int BenchMain(int argc, char** argv, const BenchProgram& program);

// The path of a flag that names a file: relative to where the user called `bazel run`, which
// changes the directory.
std::string FileOfFlag(const std::string& flag);

}  // namespace grpc_cxl::bench

#endif  // GRPC_CXL_BENCH_HARNESS_BENCH_MAIN_H_
