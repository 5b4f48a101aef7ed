// SPDX-License-Identifier: Apache-2.0
#ifndef GRPC_CXL_BENCH_ROLES_RELAY_SERVICE_H_
#define GRPC_CXL_BENCH_ROLES_RELAY_SERVICE_H_

#include <grpcpp/grpcpp.h>

#include <memory>

#include "bench/roles/relay.grpc.pb.h"

namespace grpc_cxl::bench {

// A service of a chain: answers, or forwards the call to the next service. Callback API.
class RelayService : public Relay::CallbackService {
 public:
  // `next` is null for the last service.
  explicit RelayService(std::shared_ptr<grpc::Channel> next);

  grpc::ServerUnaryReactor* Forward(grpc::CallbackServerContext* context, const Relayed* request,
                                    Relayed* response) override;

 private:
  std::unique_ptr<Relay::Stub> next_;  // null in the last service
};

}  // namespace grpc_cxl::bench

#endif  // GRPC_CXL_BENCH_ROLES_RELAY_SERVICE_H_
