// SPDX-License-Identifier: Apache-2.0
#ifndef GRPC_CXL_RENDEZVOUS_ASK_KERNEL_H_
#define GRPC_CXL_RENDEZVOUS_ASK_KERNEL_H_

#include <linux/netlink.h>

#include "absl/functional/function_ref.h"
#include "absl/status/status.h"

namespace grpc_cxl::internal {

// Sends `request` to the kernel over a netlink socket of `protocol`, about the calling thread's
// network namespace, and hands each message of the answer to `on_answer`. Does not block. The
// kernel's errors, such as EPERM or ENOENT, as a status. Thread-safe.
absl::Status AskKernel(int protocol, const nlmsghdr& request,
                       absl::FunctionRef<void(const nlmsghdr&)> on_answer);

}  // namespace grpc_cxl::internal

#endif  // GRPC_CXL_RENDEZVOUS_ASK_KERNEL_H_
