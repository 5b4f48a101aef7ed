#include <utility>

#include "absl/log/log.h"
#include "test/e2e/client_call.h"

namespace grpc_cxl::e2e {
namespace {

using Responses = std::vector<EchoResponse>;

grpc::Status Unary(Echo::Stub* stub, const ClientCall& call, grpc::ClientContext* context,
                   Responses* responses) {
  EchoResponse response;
  const grpc::Status status = stub->Unary(context, call.requests[0], &response);
  if (status.ok()) responses->push_back(std::move(response));
  return status;
}

grpc::Status ClientStream(Echo::Stub* stub, const ClientCall& call, grpc::ClientContext* context,
                          Responses* responses) {
  EchoResponse response;
  const auto writer = stub->ClientStream(context, &response);
  for (const EchoRequest& request : call.requests) {
    if (!writer->Write(request)) break;
  }
  writer->WritesDone();
  const grpc::Status status = writer->Finish();
  if (status.ok()) responses->push_back(std::move(response));
  return status;
}

grpc::Status ServerStream(Echo::Stub* stub, const ClientCall& call, grpc::ClientContext* context,
                          Responses* responses) {
  const auto reader = stub->ServerStream(context, call.requests[0]);
  EchoResponse response;
  while (reader->Read(&response)) responses->push_back(response);
  return reader->Finish();
}

grpc::Status Bidi(Echo::Stub* stub, const ClientCall& call, grpc::ClientContext* context,
                  Responses* responses) {
  const auto stream = stub->Bidi(context);
  EchoResponse response;
  for (const EchoRequest& request : call.requests) {
    if (!stream->Write(request) || !stream->Read(&response)) break;
    responses->push_back(response);
  }
  stream->WritesDone();
  while (stream->Read(&response)) responses->push_back(response);
  return stream->Finish();
}

}  // namespace

Outcome PerformSync(Echo::Stub* stub, const ClientCall& call) {
  grpc::ClientContext context;
  if (call.prepare) call.prepare(&context);
  Responses responses;
  grpc::Status status;
  switch (call.kind) {
    case RpcKind::kUnary:
      status = Unary(stub, call, &context, &responses);
      break;
    case RpcKind::kClientStream:
      status = ClientStream(stub, call, &context, &responses);
      break;
    case RpcKind::kServerStream:
      status = ServerStream(stub, call, &context, &responses);
      break;
    case RpcKind::kBidi:
      status = Bidi(stub, call, &context, &responses);
      break;
  }
  if (call.conclude) call.conclude();
  Outcome outcome = Conclude(context, status);
  outcome.responses = std::move(responses);
  return outcome;
}

}  // namespace grpc_cxl::e2e
