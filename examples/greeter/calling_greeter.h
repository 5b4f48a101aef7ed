// SPDX-License-Identifier: Apache-2.0
#ifndef GRPC_CXL_EXAMPLES_GREETER_CALLING_GREETER_H_
#define GRPC_CXL_EXAMPLES_GREETER_CALLING_GREETER_H_

#include <grpcpp/client_context.h>

#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "examples/greeter/greeter.grpc.pb.h"
#include "grpc_cxl/serve_back.h"

namespace greeter {

// Asks its caller for a greeting before it answers: a call back, over the caller's connection. To
// those who serve nothing back it says why that cannot be.
class CallingGreeter : public Greeter::CallbackService {
  struct CallBack {
    grpc::ClientContext context;
    HelloRequest request;
    HelloReply reply;
  };

  grpc::ServerUnaryReactor* SayHello(grpc::CallbackServerContext* context,
                                     const HelloRequest* request, HelloReply* reply) override {
    grpc::ServerUnaryReactor* const reactor = context->DefaultReactor();
    const absl::StatusOr<std::shared_ptr<grpc::Channel>> peer = grpc_cxl::ChannelToPeer(*context);
    if (!peer.ok()) {
      reactor->Finish(
          {grpc::StatusCode::FAILED_PRECONDITION, std::string(peer.status().message())});
      return reactor;
    }
    const auto call = std::make_shared<CallBack>();
    call->request.set_name("server");
    Greeter::NewStub(*peer)->async()->SayHello(
        &call->context, &call->request, &call->reply,
        [call, reactor, request, reply](const grpc::Status& status) {
          reply->set_message("Hello, " + request->name() + "! You said: " + call->reply.message());
          reactor->Finish(status);
        });
    return reactor;
  }
};

}  // namespace greeter

#endif  // GRPC_CXL_EXAMPLES_GREETER_CALLING_GREETER_H_
