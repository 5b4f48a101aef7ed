#include "test/polling/threads.h"

#include <filesystem>
#include <fstream>
#include <system_error>

namespace grpc_cxl::internal {
namespace {

struct Sum {
  size_t threads = 0;
  uint64_t naps = 0;
};

Sum SumOf(const std::string& name) {
  Sum sum;
  std::error_code error;
  for (const auto& task : std::filesystem::directory_iterator("/proc/self/task", error)) {
    std::ifstream status(task.path() / "status");  // empty when it has just ended
    std::string key, value;
    bool matches = false;
    while (status >> key && std::getline(status >> std::ws, value)) {
      if (key == "Name:") matches = value.starts_with(name);
      if (matches && key == "voluntary_ctxt_switches:") {
        ++sum.threads;
        sum.naps += std::stoull(value);
      }
    }
  }
  return sum;
}

}  // namespace

size_t CountThreads(const std::string& name) { return SumOf(name).threads; }

uint64_t CountNaps(const std::string& name) { return SumOf(name).naps; }

}  // namespace grpc_cxl::internal
