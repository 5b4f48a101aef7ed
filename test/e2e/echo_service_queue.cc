// SPDX-License-Identifier: Apache-2.0
#include <grpcpp/alarm.h>
#include <grpcpp/generic/async_generic_service.h>
#include <grpcpp/impl/proto_utils.h>

#include <coroutine>
#include <exception>
#include <functional>
#include <memory>
#include <thread>
#include <utility>

#include "absl/log/check.h"
#include "absl/strings/match.h"
#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "test/e2e/echo_call.h"
#include "test/e2e/echo_service.h"

namespace grpc_cxl::e2e {
namespace {

// What a queue reports, for a coroutine to await: an operation, which `start` starts with the
// tag it is given when it is awaited; or, without `start`, an event that may come earlier.
class Completion {
 public:
  explicit Completion(std::function<void(void* tag)> start = nullptr) : start_(std::move(start)) {}

  bool happened() const { return happened_; }
  void Complete(bool ok) {
    happened_ = true;
    ok_ = ok;
    if (coroutine_) coroutine_.resume();
  }

  bool await_ready() const { return happened_; }
  void await_suspend(std::coroutine_handle<> coroutine) {
    coroutine_ = coroutine;
    if (start_) start_(this);
  }
  bool await_resume() const { return ok_; }

 private:
  const std::function<void(void*)> start_;
  std::coroutine_handle<> coroutine_;
  bool happened_ = false;
  bool ok_ = false;
};

// A coroutine that starts at once and cleans up after itself.
struct Detached {
  struct promise_type {
    Detached get_return_object() { return {}; }
    std::suspend_never initial_suspend() noexcept { return {}; }
    std::suspend_never final_suspend() noexcept { return {}; }
    void return_void() {}
    void unhandled_exception() { std::terminate(); }
  };
};

EchoRequest Parse(grpc::ByteBuffer* bytes) {
  EchoRequest request;
  CHECK(grpc::SerializationTraits<EchoRequest>::Deserialize(bytes, &request).ok());
  return request;
}
grpc::ByteBuffer Serialize(const EchoResponse& response) {
  grpc::ByteBuffer bytes;
  bool own_buffer;
  CHECK(grpc::SerializationTraits<EchoResponse>::Serialize(response, &bytes, &own_buffer).ok());
  return bytes;
}

// A generic service, so that one coroutine plays calls of all four kinds. All of them run on
// one thread.
class CompletionQueueEcho final : public EchoService {
 public:
  void Register(grpc::ServerBuilder* builder) override {
    builder->RegisterAsyncGenericService(&service_);
    queue_ = builder->AddCompletionQueue();
  }

  void Start() override {
    ServeNext();
    thread_ = std::thread([this] {
      void* tag;
      bool ok;
      while (queue_->Next(&tag, &ok)) static_cast<Completion*>(tag)->Complete(ok);
    });
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
  Detached ServeNext() {
    Completion done;  // the call has ended, in whatever way
    grpc::GenericServerContext context;
    context.AsyncNotifyWhenDone(&done);
    grpc::GenericServerAsyncReaderWriter stream(&context);
    const bool arrived = co_await Completion([&](void* tag) {
      service_.RequestCall(&context, &stream, queue_.get(), queue_.get(), tag);
    });
    if (!arrived) co_return;
    ServeNext();
    EchoCall call(&control_, &context);
    const auto is = [&context](const char* method) {
      return absl::EndsWith(context.method(), method);
    };
    const bool many_requests = is("/ClientStream") || is("/Bidi");
    const bool many_responses = is("/ServerStream") || is("/Bidi");
    grpc::ByteBuffer bytes;
    bool writable = true;
    while (writable && co_await Completion([&](void* tag) { stream.Read(&bytes, tag); })) {
      call.Add(Parse(&bytes));
      if (call.MustWait()) control_.Count(&ServiceControl::Counts::at_gate);
      while (call.MustWait() && !done.happened() && !control_.GateOpens(absl::ZeroDuration())) {
        grpc::Alarm pause;
        co_await Completion([&](void* tag) {
          pause.Set(queue_.get(), absl::ToChronoTime(absl::Now() + absl::Milliseconds(1)), tag);
        });
      }
      const uint32_t due = many_requests ? 1 : call.responses_wanted();
      for (uint32_t i = 0; many_responses && writable && i < due; ++i) {
        bytes = Serialize(call.Respond());
        writable = co_await Completion([&](void* tag) { stream.Write(bytes, tag); });
      }
      if (!many_requests) break;
    }
    const grpc::Status status = writable ? call.Finish() : Gone();
    if (status.ok() && !many_responses) {
      bytes = Serialize(call.Respond());
      co_await Completion([&](void* tag) { stream.WriteAndFinish(bytes, {}, status, tag); });
    } else {
      co_await Completion([&](void* tag) { stream.Finish(status, tag); });
    }
    co_await done;
  }

  grpc::AsyncGenericService service_;
  std::unique_ptr<grpc::ServerCompletionQueue> queue_;
  std::thread thread_;
};

}  // namespace

std::unique_ptr<EchoService> MakeCompletionQueueEchoService() {
  return std::make_unique<CompletionQueueEcho>();
}

}  // namespace grpc_cxl::e2e
