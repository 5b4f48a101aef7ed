// SPDX-License-Identifier: Apache-2.0
#ifndef GRPC_CXL_TEST_SUPPORT_AWAIT_READABLE_H_
#define GRPC_CXL_TEST_SUPPORT_AWAIT_READABLE_H_

#include <errno.h>
#include <poll.h>

#include <algorithm>

#include "absl/log/check.h"
#include "absl/time/clock.h"
#include "absl/time/time.h"

namespace grpc_cxl::internal {

// Waits until `fd` can be read or has come to its end; false when that takes too long.
inline bool AwaitReadable(int fd, absl::Duration timeout = absl::Minutes(1)) {
  const absl::Time deadline = absl::Now() + timeout;
  for (;;) {
    const absl::Duration left = absl::Ceil(deadline - absl::Now(), absl::Milliseconds(1));
    pollfd waiting{fd, POLLIN, 0};
    const int ready = poll(&waiting, 1,
                           static_cast<int>(absl::ToInt64Milliseconds(
                               std::clamp(left, absl::ZeroDuration(), absl::Hours(24)))));
    if (ready >= 0) return ready > 0;
    PCHECK(errno == EINTR);
  }
}

}  // namespace grpc_cxl::internal

#endif  // GRPC_CXL_TEST_SUPPORT_AWAIT_READABLE_H_
