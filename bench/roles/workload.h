#ifndef GRPC_CXL_BENCH_ROLES_WORKLOAD_H_
#define GRPC_CXL_BENCH_ROLES_WORKLOAD_H_

#include <grpcpp/grpcpp.h>
#include <grpcpp/impl/service_type.h>

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <utility>

#include "absl/functional/any_invocable.h"
#include "bench/harness/control.pb.h"

namespace grpc_cxl::bench {

// One caller's worth of calls: one call after the other, never two at a time.
class Caller {
 public:
  virtual ~Caller() = default;

  // One blocking call, for the apis "sync" and "stream".
  virtual grpc::Status Call() = 0;

  // One blocking call whose handler blocks for so long.
  virtual grpc::Status Block(double /*seconds*/) {
    return grpc::Status(grpc::StatusCode::UNIMPLEMENTED, "this workload has no such handler");
  }

  // One blocking call, and when its handler was entered and left, CLOCK_MONOTONIC.
  virtual grpc::Status Stamped(int64_t* /*entered_ns*/, int64_t* /*left_ns*/) {
    return grpc::Status(grpc::StatusCode::UNIMPLEMENTED, "this workload stamps no responses");
  }
  // Bytes of requests in one call.
  virtual uint64_t RequestBytes() const { return 0; }

  // One call that calls `done` at its end, for the api "callback". `done` may start the
  // next call.
  virtual void Start(absl::AnyInvocable<void(const grpc::Status&)> done) {
    done(grpc::Status(grpc::StatusCode::UNIMPLEMENTED, "this workload has no callback API"));
  }
};

// What a benchmark program calls: a service for its server processes, callers for its
// client processes.
class Workload {
 public:
  virtual ~Workload() = default;
  // In the "callback" or the "sync" API.
  virtual std::unique_ptr<grpc::Service> MakeService(const std::string& api) = 0;
  virtual std::unique_ptr<Caller> MakeCaller(std::shared_ptr<grpc::Channel> channel,
                                             const Case& what) = 0;

  // How many bytes the transport has moved and copied so far, in this process and in the
  // server's. Nothing when it does not count.
  struct Traffic {
    double sent = 0, copied_to_send = 0, received = 0, copied_to_receive = 0;
    double memory_ns = 0;  // waited for emulated memory
  };
  virtual std::optional<std::pair<Traffic, Traffic>> ClientAndServerTraffic(
      std::shared_ptr<grpc::Channel>) {
    return std::nullopt;
  }
};

}  // namespace grpc_cxl::bench

#endif  // GRPC_CXL_BENCH_ROLES_WORKLOAD_H_
