// SPDX-License-Identifier: Apache-2.0
#ifndef GRPC_CXL_BENCH_ROLES_CALLER_H_
#define GRPC_CXL_BENCH_ROLES_CALLER_H_

#include <grpcpp/grpcpp.h>

#include <cstdint>

#include "absl/functional/any_invocable.h"

namespace grpc_cxl::bench {

// Makes one call at a time.
class Caller {
 public:
  virtual ~Caller() = default;

  // One blocking call, for every api but "callback".
  virtual grpc::Status Call() = 0;

  // One call that runs `done` at its end, for the api "callback". `done` may start the next call.
  virtual void Start(absl::AnyInvocable<void(const grpc::Status&)> done) {
    done(grpc::Status(grpc::StatusCode::UNIMPLEMENTED, "this caller has no callback API"));
  }

  // Bytes of requests in one call.
  virtual uint64_t RequestBytes() const { return 0; }
};

}  // namespace grpc_cxl::bench

#endif  // GRPC_CXL_BENCH_ROLES_CALLER_H_
