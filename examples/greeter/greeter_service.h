// SPDX-License-Identifier: Apache-2.0
#ifndef GRPC_CXL_EXAMPLES_GREETER_GREETER_SERVICE_H_
#define GRPC_CXL_EXAMPLES_GREETER_GREETER_SERVICE_H_

#include "examples/greeter/greeter.grpc.pb.h"

namespace greeter {

// An ordinary gRPC service with the callback API; nothing in it depends on the transport.
class GreeterService : public Greeter::CallbackService {
  grpc::ServerUnaryReactor* SayHello(grpc::CallbackServerContext* context,
                                     const HelloRequest* request, HelloReply* reply) override {
    reply->set_message("Hello, " + request->name() + "!");
    grpc::ServerUnaryReactor* reactor = context->DefaultReactor();
    reactor->Finish(grpc::Status::OK);
    return reactor;
  }
};

}  // namespace greeter

#endif  // GRPC_CXL_EXAMPLES_GREETER_GREETER_SERVICE_H_
