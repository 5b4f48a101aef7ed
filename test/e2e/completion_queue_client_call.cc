#include <utility>

#include "test/e2e/client_call.h"
#include "test/e2e/completion.h"

namespace grpc_cxl::e2e {
namespace {

// One call and the queue that serves it alone. The coroutine that makes the call shuts
// the queue down at its end, which ends Serve().
struct QueuedCall {
  Echo::Stub* const stub;
  const std::vector<EchoRequest>& requests;
  grpc::ClientContext* const context;
  std::vector<EchoResponse> responses = {};
  grpc::Status status = {};
  grpc::CompletionQueue queue = {};
};

Detached Unary(QueuedCall* call) {
  EchoResponse response;
  const auto reader = call->stub->AsyncUnary(call->context, call->requests[0], &call->queue);
  co_await Operation([&](void* tag) { reader->Finish(&response, &call->status, tag); });
  if (call->status.ok()) call->responses.push_back(std::move(response));
  call->queue.Shutdown();
}

Detached ClientStream(QueuedCall* call) {
  EchoResponse response;
  const auto writer = call->stub->PrepareAsyncClientStream(call->context, &response, &call->queue);
  bool ok = co_await Operation([&](void* tag) { writer->StartCall(tag); });
  for (const EchoRequest& request : call->requests) {
    if (!ok) break;
    ok = co_await Operation([&](void* tag) { writer->Write(request, tag); });
  }
  if (ok) co_await Operation([&](void* tag) { writer->WritesDone(tag); });
  co_await Operation([&](void* tag) { writer->Finish(&call->status, tag); });
  if (call->status.ok()) call->responses.push_back(std::move(response));
  call->queue.Shutdown();
}

Detached ServerStream(QueuedCall* call) {
  const auto reader =
      call->stub->PrepareAsyncServerStream(call->context, call->requests[0], &call->queue);
  co_await Operation([&](void* tag) { reader->StartCall(tag); });
  EchoResponse response;
  while (co_await Operation([&](void* tag) { reader->Read(&response, tag); })) {
    call->responses.push_back(response);
  }
  co_await Operation([&](void* tag) { reader->Finish(&call->status, tag); });
  call->queue.Shutdown();
}

Detached Bidi(QueuedCall* call) {
  const auto stream = call->stub->PrepareAsyncBidi(call->context, &call->queue);
  bool ok = co_await Operation([&](void* tag) { stream->StartCall(tag); });
  EchoResponse response;
  for (const EchoRequest& request : call->requests) {
    if (ok) ok = co_await Operation([&](void* tag) { stream->Write(request, tag); });
    if (ok) ok = co_await Operation([&](void* tag) { stream->Read(&response, tag); });
    if (!ok) break;
    call->responses.push_back(response);
  }
  if (ok) co_await Operation([&](void* tag) { stream->WritesDone(tag); });
  while (ok && co_await Operation([&](void* tag) { stream->Read(&response, tag); })) {
    call->responses.push_back(response);
  }
  co_await Operation([&](void* tag) { stream->Finish(&call->status, tag); });
  call->queue.Shutdown();
}

}  // namespace

Outcome PerformCompletionQueue(Echo::Stub* stub, const ClientCall& call) {
  grpc::ClientContext context;
  if (call.prepare) call.prepare(&context);
  QueuedCall queued{stub, call.requests, &context};
  switch (call.kind) {
    case RpcKind::kUnary:
      Unary(&queued);
      break;
    case RpcKind::kClientStream:
      ClientStream(&queued);
      break;
    case RpcKind::kServerStream:
      ServerStream(&queued);
      break;
    case RpcKind::kBidi:
      Bidi(&queued);
      break;
  }
  Serve(&queued.queue);
  if (call.conclude) call.conclude();
  Outcome outcome = Conclude(context, queued.status);
  outcome.responses = std::move(queued.responses);
  return outcome;
}

}  // namespace grpc_cxl::e2e
