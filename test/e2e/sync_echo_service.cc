#include "test/e2e/echo.grpc.pb.h"
#include "test/e2e/echo_call.h"
#include "test/e2e/echo_service.h"

namespace grpc_cxl::e2e {
namespace {

const grpc::Status kGone(grpc::StatusCode::CANCELLED, "the caller has gone");

class SyncEcho final : public EchoService, public Echo::Service {
 public:
  void Register(grpc::ServerBuilder* builder) override { builder->RegisterService(this); }

  grpc::Status Unary(grpc::ServerContext* context, const EchoRequest* request,
                     EchoResponse* response) override {
    EchoCall call(&control_, context);
    call.Add(*request);
    if (!call.WaitAtGate()) return kGone;
    *response = call.Respond();
    return call.Finish();
  }

  grpc::Status ClientStream(grpc::ServerContext* context, grpc::ServerReader<EchoRequest>* reader,
                            EchoResponse* response) override {
    EchoCall call(&control_, context);
    EchoRequest request;
    while (reader->Read(&request)) {
      call.Add(request);
      if (!call.WaitAtGate()) return kGone;
    }
    *response = call.Respond();
    return call.Finish();
  }

  grpc::Status ServerStream(grpc::ServerContext* context, const EchoRequest* request,
                            grpc::ServerWriter<EchoResponse>* writer) override {
    EchoCall call(&control_, context);
    call.Add(*request);
    if (!call.WaitAtGate()) return kGone;
    for (uint32_t i = 0; i < call.responses_wanted(); ++i) {
      if (!writer->Write(call.Respond())) return kGone;
    }
    return call.Finish();
  }

  grpc::Status Bidi(grpc::ServerContext* context,
                    grpc::ServerReaderWriter<EchoResponse, EchoRequest>* stream) override {
    EchoCall call(&control_, context);
    EchoRequest request;
    while (stream->Read(&request)) {
      call.Add(request);
      if (!call.WaitAtGate()) return kGone;
      if (!stream->Write(call.Respond())) return kGone;
    }
    return call.Finish();
  }
};

}  // namespace

std::unique_ptr<EchoService> MakeSyncEchoService() { return std::make_unique<SyncEcho>(); }

}  // namespace grpc_cxl::e2e
