// SPDX-License-Identifier: Apache-2.0
#include "bench/harness/pinning.h"

#include <errno.h>
#include <sched.h>

namespace grpc_cxl::bench {

absl::Status PinToHalf(Side side) {
  cpu_set_t allowed, mine;
  if (sched_getaffinity(0, sizeof(allowed), &allowed) != 0) {
    return absl::ErrnoToStatus(errno, "sched_getaffinity");
  }
  const int cores = CPU_COUNT(&allowed);
  if (cores < 2) {
    return absl::FailedPreconditionError(
        "--pin=yes needs two cores; this process may use one only.");
  }
  CPU_ZERO(&mine);
  for (int core = 0, seen = 0; core < CPU_SETSIZE; ++core) {
    if (!CPU_ISSET(core, &allowed)) continue;
    const bool in_first_half = seen++ < cores / 2;
    if (in_first_half == (side == Side::kClient)) CPU_SET(core, &mine);
  }
  if (sched_setaffinity(0, sizeof(mine), &mine) != 0) {
    return absl::ErrnoToStatus(errno, "sched_setaffinity");
  }
  return absl::OkStatus();
}

}  // namespace grpc_cxl::bench
