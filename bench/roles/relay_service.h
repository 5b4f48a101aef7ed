#ifndef GRPC_CXL_BENCH_ROLES_RELAY_SERVICE_H_
#define GRPC_CXL_BENCH_ROLES_RELAY_SERVICE_H_

#include <grpcpp/grpcpp.h>

#include <chrono>
#include <memory>

#include "bench/roles/relay.grpc.pb.h"

namespace grpc_cxl::bench {

// How long a call through a whole chain may take; every call carries a deadline.
inline constexpr std::chrono::seconds kRelayDeadline{30};

// A service of a chain: answers, or has the next one answer. Callback API.
class RelayService : public Relay::CallbackService {
 public:
  // `next` is null for the last one.
  explicit RelayService(std::shared_ptr<grpc::Channel> next);

  grpc::ServerUnaryReactor* Forward(grpc::CallbackServerContext* context, const Letter* request,
                                    Letter* response) override;

 private:
  std::unique_ptr<Relay::Stub> next_;  // null: nobody
};

}  // namespace grpc_cxl::bench

#endif  // GRPC_CXL_BENCH_ROLES_RELAY_SERVICE_H_
