#include "bench/roles/echo_workload.h"

#include <chrono>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <utility>

#include "absl/strings/cord.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "bench/roles/echo.grpc.pb.h"
#include "bench/roles/echo_service.h"

namespace grpc_cxl::bench {
namespace {

// Messages in a call of the api "stream".
constexpr int kMessagesInStream = 64;

// What calls in production carry.
void Dress(grpc::ClientContext* context, std::chrono::seconds time = std::chrono::seconds(30)) {
  context->set_deadline(std::chrono::system_clock::now() + time);
  context->AddMetadata("x-request-id", "5f3c8e0a-74b1-4c19-9d58-0e6f2a7b31cd");
  context->AddMetadata("x-tenant", "bench");
}

// The methods for each class of messages.
struct Strings {
  using Message = Payload;
  static grpc::Status Call(Echo::Stub& stub, grpc::ClientContext* context, const Message& request,
                           Message* response) {
    return stub.Call(context, request, response);
  }
  static auto Upload(Echo::Stub& stub, grpc::ClientContext* context, Received* response) {
    return stub.Upload(context, response);
  }
  static auto Exchange(Echo::Stub& stub, grpc::ClientContext* context) {
    return stub.Exchange(context);
  }
  static void Start(Echo::Stub& stub, grpc::ClientContext* context, const Message* request,
                    Message* response, std::function<void(grpc::Status)> done) {
    stub.async()->Call(context, request, response, std::move(done));
  }
};
struct Cords {
  using Message = CordPayload;
  static grpc::Status Call(Echo::Stub& stub, grpc::ClientContext* context, const Message& request,
                           Message* response) {
    return stub.CallCord(context, request, response);
  }
  static auto Upload(Echo::Stub& stub, grpc::ClientContext* context, Received* response) {
    return stub.UploadCord(context, response);
  }
  static auto Exchange(Echo::Stub& stub, grpc::ClientContext* context) {
    return stub.ExchangeCord(context);
  }
  static void Start(Echo::Stub& stub, grpc::ClientContext* context, const Message* request,
                    Message* response, std::function<void(grpc::Status)> done) {
    stub.async()->CallCord(context, request, response, std::move(done));
  }
};

// Its request and response are used again and again, as in any program that calls often.
template <typename Methods>
class EchoCaller : public Caller {
 public:
  EchoCaller(std::shared_ptr<grpc::Channel> channel, size_t size)
      : stub_(Echo::NewStub(std::move(channel))) {
    request_.set_data(std::string(size, 'x'));
  }

  uint64_t RequestBytes() const override { return request_.data().size(); }

  grpc::Status Call() override {
    grpc::ClientContext context;
    Dress(&context);
    return Checked(Methods::Call(*stub_, &context, request_, &response_));
  }

  grpc::Status Stamped(int64_t* entered_ns, int64_t* left_ns) override {
    grpc::ClientContext context;
    Dress(&context);
    Payload request, response;
    request.set_data(std::string(request_.data()));
    request.set_stamp(true);
    const grpc::Status status = stub_->Call(&context, request, &response);
    *entered_ns = response.entered_ns();
    *left_ns = response.left_ns();
    return status;
  }

  grpc::Status Block(double seconds) override {
    grpc::ClientContext context;
    Payload request;
    request.set_data(absl::StrCat(static_cast<int>(seconds * 1e3)));
    Payload response;
    return stub_->Sleep(&context, request, &response);
  }

  void Start(absl::AnyInvocable<void(const grpc::Status&)> done) override {
    context_.emplace();
    Dress(&*context_);
    Methods::Start(*stub_, &*context_, &request_, &response_,
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
  typename Methods::Message request_;
  typename Methods::Message response_;
  std::optional<grpc::ClientContext> context_;  // of the call that Start() began
};

// A call is one message there and one back, on a stream that all calls of this caller share.
template <typename Methods>
class ExchangeCaller : public Caller {
 public:
  ExchangeCaller(std::shared_ptr<grpc::Channel> channel, size_t size)
      : stub_(Echo::NewStub(std::move(channel))) {
    request_.set_data(std::string(size, 'x'));
    Dress(&context_, std::chrono::hours(1));
  }

  ~ExchangeCaller() override {
    if (stream_ == nullptr) return;
    stream_->WritesDone();
    stream_->Finish();
  }

  uint64_t RequestBytes() const override { return request_.data().size(); }

  grpc::Status Call() override {
    if (stream_ == nullptr) stream_ = Methods::Exchange(*stub_, &context_);
    if (!stream_->Write(request_) || !stream_->Read(&response_)) {
      return std::exchange(stream_, nullptr)->Finish();
    }
    if (response_.data().size() == request_.data().size()) return grpc::Status::OK;
    return grpc::Status(grpc::StatusCode::DATA_LOSS, "another number of bytes came back");
  }

 private:
  using Message = typename Methods::Message;

  std::unique_ptr<Echo::Stub> stub_;
  grpc::ClientContext context_;
  std::unique_ptr<grpc::ClientReaderWriter<Message, Message>> stream_;
  Message request_, response_;
};

// A call is a stream of kMessagesInStream messages to the server.
template <typename Methods>
class UploadCaller : public Caller {
 public:
  UploadCaller(std::shared_ptr<grpc::Channel> channel, size_t size)
      : stub_(Echo::NewStub(std::move(channel))) {
    message_.set_data(std::string(size, 'x'));
  }

  uint64_t RequestBytes() const override { return kMessagesInStream * message_.data().size(); }

  grpc::Status Call() override {
    grpc::ClientContext context;
    Received received;
    const auto writer = Methods::Upload(*stub_, &context, &received);
    for (int i = 0; i < kMessagesInStream; ++i) {
      if (!writer->Write(message_)) break;  // Finish() says why
    }
    writer->WritesDone();
    const grpc::Status status = writer->Finish();
    if (!status.ok() || received.bytes() == RequestBytes()) return status;
    return grpc::Status(
        grpc::StatusCode::DATA_LOSS,
        absl::StrFormat("%d bytes came instead of %d", received.bytes(), RequestBytes()));
  }

 private:
  std::unique_ptr<Echo::Stub> stub_;
  typename Methods::Message message_;
};

template <typename Methods>
std::unique_ptr<Caller> Make(std::shared_ptr<grpc::Channel> channel, const Case& what) {
  if (what.api() == "stream") {
    return std::make_unique<UploadCaller<Methods>>(std::move(channel), what.size_bytes());
  }
  if (what.api() == "pingpong") {
    return std::make_unique<ExchangeCaller<Methods>>(std::move(channel), what.size_bytes());
  }
  return std::make_unique<EchoCaller<Methods>>(std::move(channel), what.size_bytes());
}

}  // namespace

std::unique_ptr<grpc::Service> EchoWorkload::MakeService(const std::string& api) {
  return MakeEchoService(api);
}

std::unique_ptr<Caller> EchoWorkload::MakeCaller(std::shared_ptr<grpc::Channel> channel,
                                                 const Case& what) {
  return what.payload() == "cord" ? Make<Cords>(std::move(channel), what)
                                  : Make<Strings>(std::move(channel), what);
}

std::optional<std::pair<Workload::Traffic, Workload::Traffic>> EchoWorkload::ClientAndServerTraffic(
    std::shared_ptr<grpc::Channel> channel) {
  grpc::ClientContext context;
  Counters counters;
  const grpc::Status status = Echo::NewStub(std::move(channel))->Count(&context, {}, &counters);
  if (!status.ok() || counters.received() == 0) return std::nullopt;
  Traffic server;
  server.sent = counters.sent();
  server.copied_to_send = counters.copied_to_send();
  server.received = counters.received();
  server.copied_to_receive = counters.copied_to_receive();
  server.memory_ns = counters.memory_ns();
  return std::pair(TrafficOfThisProcess(), server);
}

}  // namespace grpc_cxl::bench
