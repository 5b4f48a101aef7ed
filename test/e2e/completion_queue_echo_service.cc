#include <grpcpp/alarm.h>

#include <chrono>
#include <memory>
#include <optional>
#include <thread>

#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "test/e2e/completion.h"
#include "test/e2e/echo.grpc.pb.h"
#include "test/e2e/echo_call.h"
#include "test/e2e/echo_service.h"

namespace grpc_cxl::e2e {
namespace {

const grpc::Status kGone(grpc::StatusCode::CANCELLED, "the caller has gone");

// One coroutine a call. Each starts its successor as soon as it has got a call, so there
// is always one of each kind that waits for the next.
class CompletionQueueEcho final : public EchoService {
 public:
  void Register(grpc::ServerBuilder* builder) override {
    builder->RegisterService(&service_);
    queue_ = builder->AddCompletionQueue();
  }

  void Start() override {
    ServeUnary();
    ServeClientStream();
    ServeServerStream();
    ServeBidi();
    thread_ = std::thread([this] { Serve(queue_.get()); });
  }

  // No operation may be started on a queue that is shut down: first all calls must end,
  // as they do when their server has been shut down.
  void Stop() override {
    control_.Await([](const auto& counts) { return counts.finished == counts.started; },
                   absl::InfiniteDuration());
    queue_->Shutdown();
    thread_.join();
  }

 private:
  // What a coroutine needs for one call, in the reverse order of destruction.
  struct Call {
    Call() { context.AsyncNotifyWhenDone(done.tag()); }

    Event done;  // the call has ended, in whatever way
    grpc::ServerContext context;
    std::optional<EchoCall> echo;
    grpc::Alarm alarm;
  };

  // Takes in a request. While the call must wait at the gate, true: then await Pause().
  void Add(Call* call, const EchoRequest& request) {
    call->echo->Add(request);
    if (call->echo->MustWait()) control_.Count(&ServiceControl::Counts::at_gate);
  }
  bool AtGate(const Call& call) {
    return call.echo->MustWait() && !call.done.happened() &&
           !control_.GateOpens(absl::ZeroDuration());
  }
  Operation Pause(Call* call) {
    return Operation([this, call](void* tag) {
      call->alarm.Set(queue_.get(), absl::ToChronoTime(absl::Now() + absl::Milliseconds(1)), tag);
    });
  }

  Detached ServeUnary() {
    Call call;
    EchoRequest request;
    grpc::ServerAsyncResponseWriter<EchoResponse> writer(&call.context);
    const bool arrived = co_await Operation([&](void* tag) {
      service_.RequestUnary(&call.context, &request, &writer, queue_.get(), queue_.get(), tag);
    });
    if (!arrived) co_return;
    ServeUnary();
    call.echo.emplace(&control_, &call.context);
    Add(&call, request);
    while (AtGate(call)) co_await Pause(&call);
    const EchoResponse response = call.echo->Respond();
    const grpc::Status status = call.echo->Finish();
    co_await Operation([&](void* tag) { writer.Finish(response, status, tag); });
    co_await call.done;
  }

  Detached ServeClientStream() {
    Call call;
    grpc::ServerAsyncReader<EchoResponse, EchoRequest> reader(&call.context);
    const bool arrived = co_await Operation([&](void* tag) {
      service_.RequestClientStream(&call.context, &reader, queue_.get(), queue_.get(), tag);
    });
    if (!arrived) co_return;
    ServeClientStream();
    call.echo.emplace(&control_, &call.context);
    EchoRequest request;
    while (co_await Operation([&](void* tag) { reader.Read(&request, tag); })) {
      Add(&call, request);
      while (AtGate(call)) co_await Pause(&call);
    }
    const EchoResponse response = call.echo->Respond();
    const grpc::Status status = call.echo->Finish();
    co_await Operation([&](void* tag) { reader.Finish(response, status, tag); });
    co_await call.done;
  }

  Detached ServeServerStream() {
    Call call;
    EchoRequest request;
    grpc::ServerAsyncWriter<EchoResponse> writer(&call.context);
    const bool arrived = co_await Operation([&](void* tag) {
      service_.RequestServerStream(&call.context, &request, &writer, queue_.get(), queue_.get(),
                                   tag);
    });
    if (!arrived) co_return;
    ServeServerStream();
    call.echo.emplace(&control_, &call.context);
    Add(&call, request);
    while (AtGate(call)) co_await Pause(&call);
    grpc::Status status = call.echo->Finish();
    for (uint32_t i = 0; i < call.echo->responses_wanted(); ++i) {
      const EchoResponse response = call.echo->Respond();
      if (!co_await Operation([&](void* tag) { writer.Write(response, tag); })) {
        status = kGone;
        break;
      }
    }
    co_await Operation([&](void* tag) { writer.Finish(status, tag); });
    co_await call.done;
  }

  Detached ServeBidi() {
    Call call;
    grpc::ServerAsyncReaderWriter<EchoResponse, EchoRequest> stream(&call.context);
    const bool arrived = co_await Operation([&](void* tag) {
      service_.RequestBidi(&call.context, &stream, queue_.get(), queue_.get(), tag);
    });
    if (!arrived) co_return;
    ServeBidi();
    call.echo.emplace(&control_, &call.context);
    EchoRequest request;
    bool writable = true;
    while (writable && co_await Operation([&](void* tag) { stream.Read(&request, tag); })) {
      Add(&call, request);
      while (AtGate(call)) co_await Pause(&call);
      const EchoResponse response = call.echo->Respond();
      writable = co_await Operation([&](void* tag) { stream.Write(response, tag); });
    }
    const grpc::Status status = writable ? call.echo->Finish() : kGone;
    co_await Operation([&](void* tag) { stream.Finish(status, tag); });
    co_await call.done;
  }

  Echo::AsyncService service_;
  std::unique_ptr<grpc::ServerCompletionQueue> queue_;
  std::thread thread_;
};

}  // namespace

std::unique_ptr<EchoService> MakeCompletionQueueEchoService() {
  return std::make_unique<CompletionQueueEcho>();
}

}  // namespace grpc_cxl::e2e
