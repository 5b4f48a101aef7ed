#include "bench/echo_workload.h"

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

class SyncEchoService : public Echo::Service {
  grpc::Status Call(grpc::ServerContext*, const Payload* request, Payload* response) override {
    response->set_data(request->data());
    return grpc::Status::OK;
  }

  grpc::Status Sleep(grpc::ServerContext*, const Payload* request, Payload*) override {
    return SleepFor(*request);
  }
};

class EchoService : public Echo::CallbackService {
  grpc::ServerUnaryReactor* Call(grpc::CallbackServerContext* context, const Payload* request,
                                 Payload* response) override {
    response->set_data(request->data());
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
    return Checked(stub_->Call(&context, request_, &response_));
  }

  grpc::Status Block(double seconds) override {
    grpc::ClientContext context;
    Payload request;
    request.set_data(absl::StrCat(static_cast<int>(seconds * 1e3)));
    return stub_->Sleep(&context, request, &response_);
  }

  void Start(absl::AnyInvocable<void(const grpc::Status&)> done) override {
    context_.emplace();
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
