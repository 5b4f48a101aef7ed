#ifndef GRPC_CXL_TEST_BENCH_PROGRAM_H_
#define GRPC_CXL_TEST_BENCH_PROGRAM_H_

#include <sys/types.h>

#include <memory>
#include <string>
#include <vector>

#include "bench/harness/temporary_directory.h"
#include "grpc_cxl/base/unique_fd.h"

namespace grpc_cxl::bench {

// A program that runs in a session of its own, with a TMPDIR of its own, so that the
// processes and files that it leaves behind can be told from all others.
class Program {
 public:
  // `path` is relative to the workspace. CHECK-fails when it cannot be started.
  static std::unique_ptr<Program> Start(const std::string& path, std::vector<std::string> flags);

  ~Program();  // kills every process of the session

  // Reads the output (stdout and stderr) until it contains `text`; false when it ended first.
  bool WaitForOutput(const std::string& text);

  // Waits for the end. The exit code, or 128 + the signal that killed it.
  int Wait();

  // All output so far; complete after Wait().
  const std::string& output() const { return output_; }

  pid_t pid() const { return pid_; }

  // Processes of the session whose command line contains `text`, zombies aside. Looks for
  // up to 10 s until there are `count` of them, and returns what it saw last.
  std::vector<pid_t> Processes(const std::string& text, size_t count) const;

  // Names in the program's TMPDIR.
  std::vector<std::string> Files() const;

 private:
  Program(TemporaryDirectory directory, pid_t pid, internal::UniqueFd output)
      : directory_(std::move(directory)), pid_(pid), pipe_(std::move(output)) {}

  bool ReadOutput();  // false at the end

  TemporaryDirectory directory_;
  const pid_t pid_;
  internal::UniqueFd pipe_;
  std::string output_;
  bool reaped_ = false;
};

}  // namespace grpc_cxl::bench

#endif  // GRPC_CXL_TEST_BENCH_PROGRAM_H_
