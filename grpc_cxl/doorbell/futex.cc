// SPDX-License-Identifier: Apache-2.0
#include "grpc_cxl/doorbell/futex.h"

#include <limits.h>
#include <linux/futex.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

namespace grpc_cxl::internal {

// Not FUTEX_PRIVATE_FLAG: the other side is another process. Every error means "look again":
// the word changed (EAGAIN), time is up, or a signal came.
void FutexWait(const SharedU32& word, uint32_t expected, int64_t nanoseconds) {
  timespec limit;
  limit.tv_sec = nanoseconds / 1'000'000'000;
  limit.tv_nsec = nanoseconds % 1'000'000'000;
  syscall(SYS_futex, &word, FUTEX_WAIT, expected, &limit, nullptr, 0);
}

void FutexWake(const SharedU32& word) {
  syscall(SYS_futex, &word, FUTEX_WAKE, INT_MAX, nullptr, nullptr, 0);
}

}  // namespace grpc_cxl::internal
