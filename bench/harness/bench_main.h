#ifndef GRPC_CXL_BENCH_HARNESS_BENCH_MAIN_H_
#define GRPC_CXL_BENCH_HARNESS_BENCH_MAIN_H_

#include <functional>
#include <map>
#include <string>

#include "absl/status/statusor.h"

namespace grpc_cxl::bench {

// A benchmark program: a coordinating process, and child processes that are the same program
// with --role=NAME (child_process.h).
struct BenchProgram {
  std::string name;   // in error messages
  std::string usage;  // of --help
  // What a child process does for its role; returns its exit code.
  std::map<std::string, std::function<int()>> roles;
  // What the coordinating process does; returns its exit code.
  std::function<absl::StatusOr<int>()> coordinate;
  int exit_code_of_errors = 1;
};

// The main() of one: parses flags, sets the process up as all measured processes are, runs.
// Prints an error and returns the exit code; 130 after Ctrl-C, as shells expect.
int BenchMain(int argc, char** argv, const BenchProgram& program);

// The file that a flag names. `bazel run` changes the directory and says from which one.
std::string FileOfFlag(const std::string& flag);

}  // namespace grpc_cxl::bench

#endif  // GRPC_CXL_BENCH_HARNESS_BENCH_MAIN_H_
