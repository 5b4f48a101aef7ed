#ifndef GRPC_CXL_BENCH_HARNESS_ANSWER_REQUESTS_H_
#define GRPC_CXL_BENCH_HARNESS_ANSWER_REQUESTS_H_

#include "absl/functional/function_ref.h"
#include "absl/status/statusor.h"
#include "bench/harness/control.pb.h"

namespace grpc_cxl::bench {

// The main() of a process that a ChildProcess stands for: answers requests with `handle`
// until the coordinator hangs up, and returns the exit code. An error of `handle` is a
// reply like any other. Dies with the coordinator, even in the middle of `handle`.
int AnswerRequests(absl::FunctionRef<absl::StatusOr<Reply>(const Request&)> handle);

}  // namespace grpc_cxl::bench

#endif  // GRPC_CXL_BENCH_HARNESS_ANSWER_REQUESTS_H_
