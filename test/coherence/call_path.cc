// SPDX-License-Identifier: Apache-2.0
#include "test/coherence/call_path.h"

#include <execinfo.h>
#include <link.h>

#include <fstream>
#include <iterator>

#include "absl/log/check.h"
#include "absl/strings/str_cat.h"

namespace grpc_cxl::internal {
namespace {

constexpr int kDeepest = 48;  // frames

uint64_t BaseOfProgram() {
  uint64_t base = 0;
  // The first object is the program.
  dl_iterate_phdr(
      [](dl_phdr_info* object, size_t, void* base) {
        *static_cast<uint64_t*>(base) = object->dlpi_addr;
        return 1;
      },
      &base);
  return base;
}

}  // namespace

PathFunctions::PathFunctions(const std::string& file) {
  if (file.empty()) return;
  std::ifstream lines(file);
  uint64_t address;
  char sign;
  while (lines >> std::hex >> address >> sign) signs_[address] = sign;
  CHECK(!signs_.empty()) << file;
  base_ = BaseOfProgram();
}

PathFunctions::Path PathFunctions::PathHere() const {
  Path path{};
  if (signs_.empty()) return path;
  void* stack[kDeepest];
  const int frames = backtrace(stack, kDeepest);
  size_t taken = 0;
  for (int i = 1; i < frames && taken < path.size(); ++i) {
    const uint64_t address = reinterpret_cast<uint64_t>(stack[i]) - base_;
    // A call may be its function's last instruction.
    const auto next = signs_.upper_bound(address - 1);
    if (next == signs_.begin() || next == signs_.end()) continue;  // another object's
    const char sign = std::prev(next)->second;
    if (sign == '-') break;
    if (sign == '+') path[taken++] = address;
  }
  return path;
}

std::string PathFunctions::NameOf(const Path& path) {
  std::string name;
  for (const uint64_t address : path) {
    if (address != 0) absl::StrAppend(&name, name.empty() ? "@" : ",", absl::Hex(address));
  }
  return name;
}

}  // namespace grpc_cxl::internal
