// SPDX-License-Identifier: Apache-2.0
#include "bench/roles/echo_caller.h"

#include <chrono>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <utility>

#include "absl/strings/cord.h"
#include "absl/strings/str_format.h"
#include "bench/roles/echo.grpc.pb.h"
#include "grpc_cxl/one_way.h"

namespace grpc_cxl::bench {
namespace {

// Messages in a call of the api "stream".
constexpr int kMessagesInStream = 64;

void SetUp(grpc::ClientContext* context, std::chrono::seconds timeout) {
  context->set_deadline(std::chrono::system_clock::now() + timeout);
  context->AddMetadata("x-request-id", "5f3c8e0a-74b1-4c19-9d58-0e6f2a7b31cd");
  context->AddMetadata("x-tenant", "bench");
}

grpc::Status WrongSize(uint64_t arrived, uint64_t expected) {
  return grpc::Status(grpc::StatusCode::DATA_LOSS,
                      absl::StrFormat("%d bytes arrived instead of %d", arrived, expected));
}

// The methods of the echo service for each class of messages.
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

// What callers with one size of requests have in common.
template <typename Methods>
class SizedCaller : public Caller {
 public:
  SizedCaller(std::shared_ptr<grpc::Channel> channel, size_t size)
      : stub_(Echo::NewStub(std::move(channel))) {
    request_.set_data(std::string(size, 'x'));
  }

  uint64_t RequestBytes() const override { return request_.data().size(); }

 protected:
  using Message = typename Methods::Message;

  Echo::Stub& stub() { return *stub_; }

  Message request_;

 private:
  const std::unique_ptr<Echo::Stub> stub_;
};

// Uses its request and response for every call, as a program does that calls often.
template <typename Methods>
class EchoCaller : public SizedCaller<Methods> {
 public:
  using SizedCaller<Methods>::SizedCaller;

  grpc::Status Call() override {
    grpc::ClientContext context;
    SetUpContext(&context);
    return Checked(Methods::Call(this->stub(), &context, this->request_, &response_));
  }

  void Start(absl::AnyInvocable<void(const grpc::Status&)> done) override {
    context_.emplace();
    SetUpContext(&*context_);
    Methods::Start(this->stub(), &*context_, &this->request_, &response_,
                   [this, done = std::make_shared<decltype(done)>(std::move(done))](
                       const grpc::Status& status) { (*done)(Checked(status)); });
  }

 private:
  // Tests compare contents; doing so here would cost time that is measured.
  grpc::Status Checked(const grpc::Status& status) const {
    if (!status.ok() || response_.data().size() == this->request_.data().size()) return status;
    return WrongSize(response_.data().size(), this->request_.data().size());
  }

  typename Methods::Message response_;
  std::optional<grpc::ClientContext> context_;  // of the call that Start() made
};

// A call is one message each way on a stream that all calls of this caller share.
template <typename Methods>
class ExchangeCaller : public SizedCaller<Methods> {
 public:
  ExchangeCaller(std::shared_ptr<grpc::Channel> channel, size_t size)
      : SizedCaller<Methods>(std::move(channel), size) {
    SetUp(&context_, std::chrono::hours(1));
  }

  ~ExchangeCaller() override {
    if (stream_ == nullptr) return;
    stream_->WritesDone();
    stream_->Finish();
  }

  grpc::Status Call() override {
    if (stream_ == nullptr) stream_ = Methods::Exchange(this->stub(), &context_);
    if (!stream_->Write(this->request_) || !stream_->Read(&response_)) {
      return std::exchange(stream_, nullptr)->Finish();
    }
    if (response_.data().size() == this->request_.data().size()) return grpc::Status::OK;
    return WrongSize(response_.data().size(), this->request_.data().size());
  }

 private:
  using Message = typename Methods::Message;

  grpc::ClientContext context_;
  std::unique_ptr<grpc::ClientReaderWriter<Message, Message>> stream_;
  Message response_;
};

// A call is a stream of kMessagesInStream messages to the server.
template <typename Methods>
class UploadCaller : public SizedCaller<Methods> {
 public:
  using SizedCaller<Methods>::SizedCaller;

  uint64_t RequestBytes() const override {
    return kMessagesInStream * this->request_.data().size();
  }

  grpc::Status Call() override {
    grpc::ClientContext context;
    Received received;
    const auto writer = Methods::Upload(this->stub(), &context, &received);
    for (int i = 0; i < kMessagesInStream; ++i) {
      if (!writer->Write(this->request_)) break;  // Finish() says why
    }
    writer->WritesDone();
    const grpc::Status status = writer->Finish();
    if (!status.ok() || received.bytes() == RequestBytes()) return status;
    return WrongSize(received.bytes(), RequestBytes());
  }
};

// A call returns before it is answered (DoNotWait()).
template <typename Methods>
class OneWayCaller : public SizedCaller<Methods> {
 public:
  using SizedCaller<Methods>::SizedCaller;

  grpc::Status Call() override {
    grpc::ClientContext context;
    SetUpContext(&context);
    DoNotWait(&context);
    return Methods::Call(this->stub(), &context, this->request_, &ignored_);
  }

 private:
  typename Methods::Message ignored_;
};

template <typename Methods>
std::unique_ptr<Caller> Make(std::shared_ptr<grpc::Channel> channel, const Case& what) {
  if (what.api() == "stream") {
    return std::make_unique<UploadCaller<Methods>>(std::move(channel), what.size_bytes());
  }
  if (what.api() == "one_way") {
    return std::make_unique<OneWayCaller<Methods>>(std::move(channel), what.size_bytes());
  }
  if (what.api() == "pingpong") {
    return std::make_unique<ExchangeCaller<Methods>>(std::move(channel), what.size_bytes());
  }
  return std::make_unique<EchoCaller<Methods>>(std::move(channel), what.size_bytes());
}

}  // namespace

void SetUpContext(grpc::ClientContext* context) { SetUp(context, std::chrono::seconds(30)); }

std::unique_ptr<Caller> MakeEchoCaller(std::shared_ptr<grpc::Channel> channel, const Case& what) {
  return what.payload() == "cord" ? Make<Cords>(std::move(channel), what)
                                  : Make<Strings>(std::move(channel), what);
}

}  // namespace grpc_cxl::bench
