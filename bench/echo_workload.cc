#include "bench/echo_workload.h"

#include <functional>
#include <optional>
#include <string>
#include <utility>

#include "absl/strings/cord.h"
#include "absl/strings/str_format.h"
#include "bench/echo.grpc.pb.h"
#include "grpc_cxl/payload_counters.h"

namespace grpc_cxl::bench {
namespace {

// Messages in a call of the api "stream".
constexpr int kMessagesInStream = 64;

Workload::Traffic TrafficOfThisProcess() {
  const PayloadCounters counters = GetPayloadCounters();
  Workload::Traffic traffic;
  traffic.copied_to_send = counters.sent_by_block + counters.sent_by_ring;
  traffic.sent = traffic.copied_to_send + counters.sent_in_place;
  traffic.copied_to_receive = counters.received_from_block + counters.received_from_ring;
  traffic.received = traffic.copied_to_receive + counters.received_in_place;
  return traffic;
}

// Ends when the caller has given up.
class HoldReactor : public grpc::ServerWriteReactor<Payload> {
 public:
  HoldReactor() { StartSendInitialMetadata(); }
  void OnCancel() override { Finish(grpc::Status::CANCELLED); }
  void OnDone() override { delete this; }
};

// Its message is used again and again.
template <typename Message>
class UploadReactor : public grpc::ServerReadReactor<Message> {
 public:
  explicit UploadReactor(Received* response) : response_(response) { this->StartRead(&message_); }
  void OnReadDone(bool ok) override {
    if (!ok) return this->Finish(grpc::Status::OK);
    response_->set_bytes(response_->bytes() + message_.data().size());
    this->StartRead(&message_);
  }
  void OnDone() override { delete this; }

 private:
  Received* const response_;
  Message message_;
};

class EchoService : public Echo::CallbackService {
  grpc::ServerUnaryReactor* Call(grpc::CallbackServerContext* context, const Payload* request,
                                 Payload* response) override {
    response->set_data(request->data());
    return Done(context);
  }
  grpc::ServerUnaryReactor* CallCord(grpc::CallbackServerContext* context,
                                     const CordPayload* request, CordPayload* response) override {
    response->set_data(request->data());
    return Done(context);
  }

  grpc::ServerReadReactor<Payload>* Upload(grpc::CallbackServerContext*,
                                           Received* response) override {
    return new UploadReactor<Payload>(response);
  }
  grpc::ServerReadReactor<CordPayload>* UploadCord(grpc::CallbackServerContext*,
                                                   Received* response) override {
    return new UploadReactor<CordPayload>(response);
  }

  grpc::ServerWriteReactor<Payload>* Hold(grpc::CallbackServerContext*, const Payload*) override {
    return new HoldReactor;
  }

  grpc::ServerUnaryReactor* Count(grpc::CallbackServerContext* context, const Received*,
                                  Counters* response) override {
    const Workload::Traffic traffic = TrafficOfThisProcess();
    response->set_sent(traffic.sent);
    response->set_copied_to_send(traffic.copied_to_send);
    response->set_received(traffic.received);
    response->set_copied_to_receive(traffic.copied_to_receive);
    return Done(context);
  }

  static grpc::ServerUnaryReactor* Done(grpc::CallbackServerContext* context) {
    grpc::ServerUnaryReactor* reactor = context->DefaultReactor();
    reactor->Finish(grpc::Status::OK);
    return reactor;
  }
};

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
    return Checked(Methods::Call(*stub_, &context, request_, &response_));
  }

  void Start(absl::AnyInvocable<void(const grpc::Status&)> done) override {
    context_.emplace();
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
  return std::make_unique<EchoCaller<Methods>>(std::move(channel), what.size_bytes());
}

}  // namespace

std::unique_ptr<grpc::Service> EchoWorkload::MakeService() {
  return std::make_unique<EchoService>();
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
  return std::pair(TrafficOfThisProcess(), server);
}

}  // namespace grpc_cxl::bench
