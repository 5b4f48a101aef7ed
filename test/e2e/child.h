// SPDX-License-Identifier: Apache-2.0
#ifndef GRPC_CXL_TEST_E2E_CHILD_H_
#define GRPC_CXL_TEST_E2E_CHILD_H_

#include <sys/types.h>

#include <cstdint>
#include <string>
#include <vector>

#include "test/support/process_state.h"
#include "test/support/spawned_child.h"

namespace grpc_cxl::e2e {

// A process that runs the e2e_child (e2e_child.cc) and reports line by line on its standard
// output.
class Child : public internal::SpawnedChild {
 public:
  explicit Child(const std::vector<std::string>& flags)
      : SpawnedChild("test/e2e/e2e_child", flags) {}

  // The bytes that it has allocated at the moment.
  int64_t AllocatedBytes();
};

// What `pid` holds at the moment.
using internal::CountOpenFiles;
int CountSharedMappings(pid_t pid);  // of memfds
int64_t ResidentBytes(pid_t pid);

}  // namespace grpc_cxl::e2e

#endif  // GRPC_CXL_TEST_E2E_CHILD_H_
