// SPDX-License-Identifier: Apache-2.0
#ifndef GRPC_CXL_BENCH_HARNESS_ANSWER_REQUESTS_H_
#define GRPC_CXL_BENCH_HARNESS_ANSWER_REQUESTS_H_

#include "absl/functional/function_ref.h"
#include "absl/status/statusor.h"
#include "bench/harness/control.pb.h"

namespace grpc_cxl::bench {

// The main() of a ChildProcess: answers requests with `handle` until the coordinator hangs up,
// and returns the exit code. An error of `handle` becomes a reply. The process dies with the
// coordinator, also while `handle` runs.
int AnswerRequests(absl::FunctionRef<absl::StatusOr<Reply>(const Request&)> handle);

}  // namespace grpc_cxl::bench

#endif  // GRPC_CXL_BENCH_HARNESS_ANSWER_REQUESTS_H_
