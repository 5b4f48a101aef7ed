// SPDX-License-Identifier: Apache-2.0
#ifndef GRPC_CXL_TEST_SUPPORT_MEMORY_GROUP_H_
#define GRPC_CXL_TEST_SUPPORT_MEMORY_GROUP_H_

#include <sys/types.h>

#include <cstdint>
#include <string>

namespace grpc_cxl::internal {

// A control group below our own with a limit of memory, of version 1 or 2; removed at the end, when
// its processes must be gone.
class MemoryGroup {
 public:
  explicit MemoryGroup(int64_t limit);
  MemoryGroup(const MemoryGroup&) = delete;
  MemoryGroup& operator=(const MemoryGroup&) = delete;
  ~MemoryGroup();

  // Why there is none, for GTEST_SKIP(); empty when there is.
  const std::string& why_none() const { return why_none_; }
  // A process joins by writing its number there.
  std::string processes_file() const { return folder_ + "/cgroup.procs"; }
  int64_t most_bytes_used() const;
  // Times the kernel has killed a process for want of memory.
  int64_t kills() const;

 private:
  std::string folder_;
  bool version2_ = false;
  std::string why_none_;
};

}  // namespace grpc_cxl::internal

#endif  // GRPC_CXL_TEST_SUPPORT_MEMORY_GROUP_H_
