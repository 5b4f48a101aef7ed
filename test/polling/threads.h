// SPDX-License-Identifier: Apache-2.0
#ifndef GRPC_CXL_TEST_POLLING_THREADS_H_
#define GRPC_CXL_TEST_POLLING_THREADS_H_

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <fstream>
#include <string>
#include <system_error>

namespace grpc_cxl::internal {

// The threads of this process whose name begins with `name`: how many, and how often they have
// gone to sleep by themselves so far, all together.
struct Threads {
  explicit Threads(const std::string& name) {
    std::error_code error;
    for (const auto& task : std::filesystem::directory_iterator("/proc/self/task", error)) {
      std::ifstream status(task.path() / "status");  // empty when it has just ended
      std::string key, value;
      bool matches = false;
      while (status >> key && std::getline(status >> std::ws, value)) {
        if (key == "Name:") matches = value.starts_with(name);
        if (!matches || key != "voluntary_ctxt_switches:") continue;
        ++count;
        naps += std::stoull(value);
      }
    }
  }

  size_t count = 0;
  uint64_t naps = 0;
};

}  // namespace grpc_cxl::internal

#endif  // GRPC_CXL_TEST_POLLING_THREADS_H_
