// SPDX-License-Identifier: Apache-2.0
#ifndef GRPC_CXL_DIRECT_ONE_WAY_CALL_H_
#define GRPC_CXL_DIRECT_ONE_WAY_CALL_H_

#include <grpcpp/client_context.h>
#include <grpcpp/support/client_interceptor.h>

#include <memory>
#include <string>

#include "grpc_cxl/blocks/block_layout.h"
#include "grpc_cxl/calls/client_calls.h"
#include "grpc_cxl/direct/background_calls.h"
#include "grpc_cxl/direct/call_routes.h"
#include "grpc_cxl/direct/direct_channel.h"
#include "grpc_cxl/payload/message_types.h"

namespace grpc_cxl::internal {

// The interceptor of an RPC that may be one-way, which only its metadata tell:
//
//   Intercept(send) --marked--> posted in a slot, or begun in the background: Hijack() with OK
//        |              |
//        | not marked   | neither is possible
//        v              v
//     `otherwise`, to which gRPC's hooks go from then on; null: Proceed()
//
// A posted call that the server does not take is made in the background. A call that is not marked
// and has no connection carries an offer (offer_call.h) if there is one.
class OneWayCall final : public grpc::experimental::Interceptor {
 public:
  // `link` is null without a connection for direct calls. `channel` and `types` outlive this.
  OneWayCall(const DirectChannel& channel, std::shared_ptr<const CallRoute> link,
             const MessageTypes& types, grpc::experimental::ClientRpcInfo* info,
             std::unique_ptr<grpc::experimental::Interceptor> otherwise);

  void Intercept(grpc::experimental::InterceptorBatchMethods* methods) override;

 private:
  // False: it is to be an ordinary call.
  bool HandOver(grpc::experimental::InterceptorBatchMethods* methods);
  // Posts it. False: the server takes none, or there is no space.
  bool Post(const OneWayRequest& request);

  const DirectChannel& channel_;
  const std::shared_ptr<const CallRoute> link_;
  const MessageTypes& types_;
  grpc::ClientContext* const context_;
  const char* const method_;
  std::unique_ptr<grpc::experimental::Interceptor> otherwise_;
  bool handed_over_ = false;
};

}  // namespace grpc_cxl::internal

#endif  // GRPC_CXL_DIRECT_ONE_WAY_CALL_H_
