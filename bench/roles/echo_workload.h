#ifndef GRPC_CXL_BENCH_ROLES_ECHO_WORKLOAD_H_
#define GRPC_CXL_BENCH_ROLES_ECHO_WORKLOAD_H_

#include <memory>
#include <string>

#include "bench/roles/workload.h"

namespace grpc_cxl::bench {

// Unary echo of `size_bytes` bytes, or a stream of such messages to the server ("stream").
class EchoWorkload : public Workload {
 public:
  std::unique_ptr<grpc::Service> MakeService(const std::string& api) override;
  std::unique_ptr<Caller> MakeCaller(std::shared_ptr<grpc::Channel> channel,
                                     const Case& what) override;
  std::optional<std::pair<Traffic, Traffic>> ClientAndServerTraffic(
      std::shared_ptr<grpc::Channel> channel) override;
};

}  // namespace grpc_cxl::bench

#endif  // GRPC_CXL_BENCH_ROLES_ECHO_WORKLOAD_H_
