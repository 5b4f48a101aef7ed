// SPDX-License-Identifier: Apache-2.0
#ifndef GRPC_CXL_TEST_BENCH_PROGRAM_H_
#define GRPC_CXL_TEST_BENCH_PROGRAM_H_

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "bench/harness/temporary_directory.h"
#include "test/support/spawned_child.h"
#include "test/support/temporary_directory.h"

namespace grpc_cxl::bench {

// A program with a TMPDIR of its own, so that the files that it leaves behind can be told
// from all others.
class Program {
 public:
  static std::unique_ptr<Program> Start(const std::string& path,
                                        const std::vector<std::string>& flags) {
    return std::unique_ptr<Program>(new Program(path, flags));
  }

  // Reads the output (stdout and stderr) until it contains `text`; false when it ended first.
  bool WaitForOutput(const std::string& text) { return child_.ReadUntil(text); }
  // Waits for the end. The exit code, or 128 + the signal that killed it.
  int Wait() {
    const int result = child_.Finish().value();
    return result < 0 ? 128 - result : result;
  }
  const std::string& output() const { return child_.output(); }
  pid_t pid() const { return child_.pid(); }
  std::vector<pid_t> Processes(const std::string& text, size_t count) const {
    return child_.Processes(text, count);
  }
  std::vector<std::string> Files() const { return directory_.List(); }

 private:
  Program(const std::string& path, const std::vector<std::string>& flags)
      : child_(path, flags, {.environment = {{"TMPDIR", directory_.path()}}, .read_stderr = true}) {
  }

  const internal::TemporaryDirectory directory_{"/tmp"};
  internal::SpawnedChild child_;
};

}  // namespace grpc_cxl::bench

#endif  // GRPC_CXL_TEST_BENCH_PROGRAM_H_
