#include "bench/echo_workload.h"

#include <chrono>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <utility>

#include "absl/strings/cord.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "bench/echo.grpc.pb.h"
#include "grpc_cxl/coherence/far_memory.h"
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
  traffic.memory_ns = TheDistanceTotals().charged_ns;
  return traffic;
}

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

template <typename Message>
grpc::Status ReadAll(grpc::ServerReader<Message>* reader, Received* response) {
  for (Message message; reader->Read(&message);) {
    response->set_bytes(response->bytes() + message.data().size());
  }
  return grpc::Status::OK;
}

void CountTraffic(Counters* response) {
  const Workload::Traffic traffic = TrafficOfThisProcess();
  response->set_sent(traffic.sent);
  response->set_copied_to_send(traffic.copied_to_send);
  response->set_received(traffic.received);
  response->set_copied_to_receive(traffic.copied_to_receive);
  response->set_memory_ns(traffic.memory_ns);
}

class SyncEchoService : public Echo::Service {
  grpc::Status Call(grpc::ServerContext*, const Payload* request, Payload* response) override {
    Answer(*request, response);
    return grpc::Status::OK;
  }

  grpc::Status CallCord(grpc::ServerContext*, const CordPayload* request,
                        CordPayload* response) override {
    response->set_data(request->data());
    return grpc::Status::OK;
  }
  grpc::Status Upload(grpc::ServerContext*, grpc::ServerReader<Payload>* reader,
                      Received* response) override {
    return ReadAll(reader, response);
  }
  grpc::Status UploadCord(grpc::ServerContext*, grpc::ServerReader<CordPayload>* reader,
                          Received* response) override {
    return ReadAll(reader, response);
  }
  grpc::Status Sleep(grpc::ServerContext*, const Payload* request, Payload*) override {
    return SleepFor(*request);
  }
  grpc::Status Count(grpc::ServerContext*, const Received*, Counters* response) override {
    CountTraffic(response);
    return grpc::Status::OK;
  }
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
    Answer(*request, response);
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

  grpc::ServerUnaryReactor* Sleep(grpc::CallbackServerContext* context, const Payload* request,
                                  Payload*) override {
    grpc::ServerUnaryReactor* reactor = context->DefaultReactor();
    reactor->Finish(SleepFor(*request));
    return reactor;
  }

  grpc::ServerWriteReactor<Payload>* Hold(grpc::CallbackServerContext*, const Payload*) override {
    return new HoldReactor;
  }

  grpc::ServerUnaryReactor* Count(grpc::CallbackServerContext* context, const Received*,
                                  Counters* response) override {
    CountTraffic(response);
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

std::unique_ptr<grpc::Service> EchoWorkload::MakeService(const std::string& api) {
  if (api == "sync") return std::make_unique<SyncEchoService>();
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
  server.memory_ns = counters.memory_ns();
  return std::pair(TrafficOfThisProcess(), server);
}

}  // namespace grpc_cxl::bench
