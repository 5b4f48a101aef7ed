// SPDX-License-Identifier: Apache-2.0
#include "test/e2e/echo_service.h"

#include "absl/log/log.h"
#include "test/e2e/echo.grpc.pb.h"
#include "test/e2e/echo_call.h"

namespace grpc_cxl::e2e {
namespace {

class SyncEcho final : public EchoService, public Echo::Service {
 public:
  void Register(grpc::ServerBuilder* builder) override { builder->RegisterService(this); }

  grpc::Status Unary(grpc::ServerContext* context, const EchoRequest* request,
                     EchoResponse* response) override {
    EchoCall call(&control_, context);
    call.Add(*request);
    if (!call.WaitAtGate()) return Gone();
    *response = call.Respond();
    return call.Finish();
  }

  grpc::Status ClientStream(grpc::ServerContext* context, grpc::ServerReader<EchoRequest>* reader,
                            EchoResponse* response) override {
    EchoCall call(&control_, context);
    EchoRequest request;
    while (reader->Read(&request)) {
      call.Add(request);
      if (!call.WaitAtGate()) return Gone();
    }
    *response = call.Respond();
    return call.Finish();
  }

  grpc::Status ServerStream(grpc::ServerContext* context, const EchoRequest* request,
                            grpc::ServerWriter<EchoResponse>* writer) override {
    EchoCall call(&control_, context);
    call.Add(*request);
    if (!call.WaitAtGate()) return Gone();
    for (uint32_t i = 0; i < call.responses_wanted(); ++i) {
      if (!writer->Write(call.Respond())) return Gone();
    }
    return call.Finish();
  }

  grpc::Status Bidi(grpc::ServerContext* context,
                    grpc::ServerReaderWriter<EchoResponse, EchoRequest>* stream) override {
    EchoCall call(&control_, context);
    EchoRequest request;
    while (stream->Read(&request)) {
      call.Add(request);
      if (!call.WaitAtGate() || !stream->Write(call.Respond())) return Gone();
    }
    return call.Finish();
  }
};

}  // namespace

std::string Name(ServerApi api) {
  static constexpr const char* kNames[] = {"sync", "callback", "queue"};
  return kNames[static_cast<int>(api)];
}

std::unique_ptr<EchoService> EchoService::Make(ServerApi api) {
  switch (api) {
    case ServerApi::kSync:
      return std::make_unique<SyncEcho>();
    case ServerApi::kCallback:
      return MakeCallbackEchoService();
    case ServerApi::kCompletionQueue:
      return MakeCompletionQueueEchoService();
  }
  LOG(FATAL) << "no such API";
}

}  // namespace grpc_cxl::e2e
