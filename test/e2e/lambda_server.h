// SPDX-License-Identifier: Apache-2.0
#ifndef GRPC_CXL_TEST_E2E_LAMBDA_SERVER_H_
#define GRPC_CXL_TEST_E2E_LAMBDA_SERVER_H_

#include <grpcpp/server.h>
#include <grpcpp/server_builder.h>

#include <chrono>
#include <functional>
#include <memory>
#include <string>
#include <utility>

#include "absl/log/check.h"
#include "absl/time/time.h"
#include "test/e2e/echo.grpc.pb.h"
#include "test/e2e/echo_pair.h"

namespace grpc_cxl::e2e {

// A server whose only method, Echo.Unary in the callback API, is a function of the test's.
// It runs on whatever thread gRPC calls handlers on.
class LambdaServer final : private Echo::CallbackService {
 public:
  using Handler =
      std::function<grpc::Status(grpc::CallbackServerContext*, const EchoRequest&, EchoResponse*)>;

  LambdaServer(const Transport& transport, Handler handler) : handler_(std::move(handler)) {
    server_ = Serve(transport, [this](auto* builder) { builder->RegisterService(this); });
    CHECK(server_ != nullptr);
  }
  grpc::Server& server() const { return *server_; }
  ~LambdaServer() override { server_->Shutdown(std::chrono::system_clock::now()); }

 private:
  grpc::ServerUnaryReactor* Unary(grpc::CallbackServerContext* context, const EchoRequest* request,
                                  EchoResponse* response) override {
    const grpc::Status status = handler_(context, *request, response);
    grpc::ServerUnaryReactor* const reactor = context->DefaultReactor();
    reactor->Finish(status);
    return reactor;
  }

  const Handler handler_;
  std::unique_ptr<grpc::Server> server_;
};

// A server with this handler, and a channel with a connection to it.
struct HandlerPair {
  HandlerPair(TransportKind kind, LambdaServer::Handler handler)
      : transport(Transport::Make(kind)),
        server(*transport, std::move(handler)),
        channel(MakeChannel(*transport)),
        stub(Echo::NewStub(channel)) {
    Connect(*channel);
  }
  Outcome Call(const std::string& payload) {
    ClientCall call{.prepare = WithDeadline(absl::Seconds(30))};
    call.requests[0].set_payload(payload);
    return Perform(stub.get(), call);
  }

  const std::unique_ptr<Transport> transport;
  const LambdaServer server;
  const std::shared_ptr<grpc::Channel> channel;
  const std::unique_ptr<Echo::Stub> stub;
};

}  // namespace grpc_cxl::e2e

#endif  // GRPC_CXL_TEST_E2E_LAMBDA_SERVER_H_
