// SPDX-License-Identifier: Apache-2.0
#ifndef GRPC_CXL_ARENA_AVAILABLE_MEMORY_H_
#define GRPC_CXL_ARENA_AVAILABLE_MEMORY_H_

#include <cstdint>
#include <string>

namespace grpc_cxl::internal {

// Bytes this process can still take without starting the kernel's out-of-memory killer:
// the least of what the machine has (MemAvailable in /proc/meminfo) and what the memory
// limits of our control groups (both versions) leave. An estimate,
// already old when it is returned; file cache that the kernel can drop counts as available.
//
// A limit that cannot be read counts as none. About 7 us, more under a limit.
// `root` stands in front of /proc and /sys, for tests. Thread-safe.
int64_t AvailableMemory(const std::string& root = "");

// Bytes of address space that `ulimit -v` leaves. Thread-safe.
int64_t AddressSpaceLeft();

}  // namespace grpc_cxl::internal

#endif  // GRPC_CXL_ARENA_AVAILABLE_MEMORY_H_
