#ifndef GRPC_CXL_BENCH_ROLES_MEASURE_H_
#define GRPC_CXL_BENCH_ROLES_MEASURE_H_

#include <sys/types.h>

#include <memory>
#include <vector>

#include "absl/status/statusor.h"
#include "bench/harness/control.pb.h"
#include "bench/roles/workload.h"

namespace grpc_cxl::bench {

// The element below which the share `q` of `values` lies; reorders them. 0 when empty.
double Quantile(std::vector<double>& values, double q);
double Median(std::vector<double> values);

// How much of a round goes before it, unmeasured.
inline constexpr double kWarmUpShare = 0.1;

// Keeps every caller busy with one call after the other until the round is over. A tenth
// of the round goes before it, unmeasured, because caches, buffers and spin budgets have
// seen other transports in between. Latencies are those of single calls; CPU time, page
// faults, context switches and system calls are those of this process and of `server_pid`.
//
// An error when any call fails, with its status in the text, or when system calls are to be
// counted and the kernel does not tell.
absl::StatusOr<RoundResult> Measure(const std::vector<std::unique_ptr<Caller>>& callers,
                                    const Round& round, pid_t server_pid);

}  // namespace grpc_cxl::bench

#endif  // GRPC_CXL_BENCH_ROLES_MEASURE_H_
