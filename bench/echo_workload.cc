#include "bench/echo_workload.h"

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <utility>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "bench/echo.grpc.pb.h"

namespace grpc_cxl::bench {
namespace {

// Ends when the caller has given up.
class HoldReactor : public grpc::ServerWriteReactor<Payload> {
 public:
  HoldReactor() { StartSendInitialMetadata(); }
  void OnCancel() override { Finish(grpc::Status::CANCELLED); }
  void OnDone() override { delete this; }
};

grpc::Status SleepFor(const Payload& request) {
  int milliseconds;
  if (!absl::SimpleAtoi(request.data(), &milliseconds)) {
    return grpc::Status(grpc::StatusCode::INVALID_ARGUMENT, "data is no number of milliseconds");
  }
  absl::SleepFor(absl::Milliseconds(milliseconds));
  return grpc::Status::OK;
}

int64_t Now() {
  return std::chrono::nanoseconds(std::chrono::steady_clock::now().time_since_epoch()).count();
}

void Answer(const Payload& request, Payload* response) {
  if (request.stamp()) response->set_entered_ns(Now());
  response->set_data(request.data());
  if (request.stamp()) response->set_left_ns(Now());
}

// What calls in production carry.
void Dress(grpc::ClientContext* context) {
  context->set_deadline(std::chrono::system_clock::now() + std::chrono::seconds(30));
  context->AddMetadata("x-request-id", "5f3c8e0a-74b1-4c19-9d58-0e6f2a7b31cd");
  context->AddMetadata("x-tenant", "bench");
}

class SyncEchoService : public Echo::Service {
  grpc::Status Call(grpc::ServerContext*, const Payload* request, Payload* response) override {
    Answer(*request, response);
    return grpc::Status::OK;
  }

  grpc::Status Sleep(grpc::ServerContext*, const Payload* request, Payload*) override {
    return SleepFor(*request);
  }
};

class EchoService : public Echo::CallbackService {
  grpc::ServerUnaryReactor* Call(grpc::CallbackServerContext* context, const Payload* request,
                                 Payload* response) override {
    Answer(*request, response);
    grpc::ServerUnaryReactor* reactor = context->DefaultReactor();
    reactor->Finish(grpc::Status::OK);
    return reactor;
  }

  grpc::ServerUnaryReactor* Sleep(grpc::CallbackServerContext* context, const Payload* request,
                                  Payload*) override {
    grpc::ServerUnaryReactor* reactor = context->DefaultReactor();
    reactor->Finish(SleepFor(*request));
    return reactor;
  }

  grpc::ServerWriteReactor<Payload>* Hold(grpc::CallbackServerContext*, const Payload*) override {
    return new HoldReactor;
  }
};

// Its request and response are used again and again, as in any program that calls often.
class EchoCaller : public Caller {
 public:
  EchoCaller(std::shared_ptr<grpc::Channel> channel, size_t size)
      : stub_(Echo::NewStub(std::move(channel))) {
    request_.set_data(std::string(size, 'x'));
  }

  grpc::Status Call() override {
    grpc::ClientContext context;
    Dress(&context);
    return Checked(stub_->Call(&context, request_, &response_));
  }

  grpc::Status Stamped(int64_t* entered_ns, int64_t* left_ns) override {
    grpc::ClientContext context;
    Dress(&context);
    request_.set_stamp(true);
    const grpc::Status status = stub_->Call(&context, request_, &response_);
    *entered_ns = response_.entered_ns();
    *left_ns = response_.left_ns();
    return Checked(status);
  }

  grpc::Status Block(double seconds) override {
    grpc::ClientContext context;
    Payload request;
    request.set_data(absl::StrCat(static_cast<int>(seconds * 1e3)));
    return stub_->Sleep(&context, request, &response_);
  }

  void Start(absl::AnyInvocable<void(const grpc::Status&)> done) override {
    context_.emplace();
    Dress(&*context_);
    stub_->async()->Call(&*context_, &request_, &response_,
                         [this, done = std::make_shared<decltype(done)>(std::move(done))](
                             const grpc::Status& status) { (*done)(Checked(status)); });
  }

 private:
  // The size is enough here: contents are compared in the tests, not on the clock.
  grpc::Status Checked(const grpc::Status& status) const {
    if (!status.ok() || response_.data().size() == request_.data().size()) return status;
    return grpc::Status(grpc::StatusCode::DATA_LOSS,
                        absl::StrFormat("%d bytes came back instead of %d", response_.data().size(),
                                        request_.data().size()));
  }

  std::unique_ptr<Echo::Stub> stub_;
  Payload request_;
  Payload response_;
  std::optional<grpc::ClientContext> context_;  // of the call that Start() began
};

}  // namespace

std::unique_ptr<grpc::Service> EchoWorkload::MakeService(const std::string& api) {
  if (api == "sync") return std::make_unique<SyncEchoService>();
  return std::make_unique<EchoService>();
}

std::unique_ptr<Caller> EchoWorkload::MakeCaller(std::shared_ptr<grpc::Channel> channel,
                                                 const Case& what) {
  return std::make_unique<EchoCaller>(std::move(channel), what.size_bytes());
}

}  // namespace grpc_cxl::bench
