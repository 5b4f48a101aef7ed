// SPDX-License-Identifier: Apache-2.0
#ifndef GRPC_CXL_BENCH_ROLES_MEASURE_H_
#define GRPC_CXL_BENCH_ROLES_MEASURE_H_

#include <sys/types.h>

#include <memory>
#include <vector>

#include "absl/status/statusor.h"
#include "bench/harness/control.pb.h"
#include "bench/roles/caller.h"

namespace grpc_cxl::bench {

// The smallest value that is larger than the share `q` of `values`, which are reordered; 0 when
// there are none.
double Quantile(std::vector<double>& values, double q);
double Median(std::vector<double> values);

// ABORTED with the code and the message of `status`.
absl::Status CallFailed(const grpc::Status& status);

// Length of the warm-up before a round, as a share of the round.
inline constexpr double kWarmUpShare = 0.1;

// Keeps every caller busy with one call after the other, or at the pace of the case, until the
// round is over. An unmeasured warm-up goes before it, because caches, buffers and spin budgets
// have seen other transports since the last round. CPU time, page faults, context switches and
// system calls are sums over this process and `server_pid`.
//
// ABORTED when a call fails; FAILED_PRECONDITION when the kernel cannot count system calls.
absl::StatusOr<RoundResult> Measure(const std::vector<std::unique_ptr<Caller>>& callers,
                                    const Round& round, pid_t server_pid);

}  // namespace grpc_cxl::bench

#endif  // GRPC_CXL_BENCH_ROLES_MEASURE_H_
