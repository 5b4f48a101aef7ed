// SPDX-License-Identifier: Apache-2.0
#ifndef GRPC_CXL_PRIORITY_LEVEL_H_
#define GRPC_CXL_PRIORITY_LEVEL_H_

#include <cstdint>

namespace grpc_cxl {

// How urgent a call is beside others (priority.h).
enum class Priority : uint32_t {
  kDefault = 0,
  kInteractive = 1,  // somebody waits for it
  kBulk = 2,         // part of a job in the background: others go first
};

}  // namespace grpc_cxl

#endif  // GRPC_CXL_PRIORITY_LEVEL_H_
