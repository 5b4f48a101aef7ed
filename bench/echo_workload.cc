#include "bench/echo_workload.h"

#include <optional>
#include <string>
#include <utility>

#include "absl/strings/str_format.h"
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

class EchoService : public Echo::CallbackService {
  grpc::ServerUnaryReactor* Call(grpc::CallbackServerContext* context, const Payload* request,
                                 Payload* response) override {
    response->set_data(request->data());
    grpc::ServerUnaryReactor* reactor = context->DefaultReactor();
    reactor->Finish(grpc::Status::OK);
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

std::unique_ptr<grpc::Service> EchoWorkload::MakeService() {
  return std::make_unique<EchoService>();
}

std::unique_ptr<Caller> EchoWorkload::MakeCaller(std::shared_ptr<grpc::Channel> channel,
                                                 const Case& what) {
  return std::make_unique<EchoCaller>(std::move(channel), what.size_bytes());
}

}  // namespace grpc_cxl::bench
