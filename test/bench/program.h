// SPDX-License-Identifier: Apache-2.0
#ifndef GRPC_CXL_TEST_BENCH_PROGRAM_H_
#define GRPC_CXL_TEST_BENCH_PROGRAM_H_

#include <fstream>
#include <map>
#include <optional>
#include <sstream>
#include <string>
#include <utility>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "test/support/left_in.h"
#include "test/support/spawned_child.h"
#include "test/support/temporary_directory.h"

namespace grpc_cxl::internal {

// A program that writes its temporary files into a directory of its own, which becomes its
// TMPDIR and its GRPC_CXL_DIR.
class Program {
 public:
  Program(const std::string& path, const std::vector<std::string>& flags,
          std::map<std::string, std::optional<std::string>> environment = {})
      : child_(path, flags, Options(std::move(environment))) {}

  SpawnedChild& child() { return child_; }

  // Waits for its end: the exit code, or minus the signal that killed it.
  int Wait() { return *child_.Finish(); }
  const std::string& output() const { return child_.output(); }

  void ExpectNothingLeft() const {
    EXPECT_THAT(child_.Processes("", 0), testing::IsEmpty());
    EXPECT_THAT(LeftIn(directory_), testing::IsEmpty());
  }

 private:
  SpawnOptions Options(std::map<std::string, std::optional<std::string>> environment) {
    environment["TMPDIR"] = environment["GRPC_CXL_DIR"] = directory_.path();
    return {.environment = std::move(environment), .read_stderr = true};
  }

  const TemporaryDirectory directory_{"/tmp"};
  SpawnedChild child_;
};

inline std::string Contents(const std::string& file) {
  std::ostringstream text;
  text << std::ifstream(file).rdbuf();
  return text.str();
}

}  // namespace grpc_cxl::internal

#endif  // GRPC_CXL_TEST_BENCH_PROGRAM_H_
