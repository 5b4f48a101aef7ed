// SPDX-License-Identifier: Apache-2.0
#include "bench/roles/echo_service.h"

#include <time.h>

#include <chrono>
#include <cstdint>
#include <string>

#include "absl/strings/numbers.h"
#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "grpc_cxl/coherence/far_memory.h"
#include "grpc_cxl/payload_counters.h"

namespace grpc_cxl::bench {
namespace {

// Ends when the caller gives up.
class HoldReactor : public grpc::ServerWriteReactor<Payload> {
 public:
  HoldReactor() { StartSendInitialMetadata(); }
  void OnCancel() override { Finish(grpc::Status::CANCELLED); }
  void OnDone() override { delete this; }
};

grpc::Status SleepFor(const Payload& request) {
  int milliseconds;
  if (!absl::SimpleAtoi(request.data(), &milliseconds)) {
    return grpc::Status(grpc::StatusCode::INVALID_ARGUMENT,
                        "data must be a number of milliseconds");
  }
  absl::SleepFor(absl::Milliseconds(milliseconds));
  return grpc::Status::OK;
}

int64_t Now() {
  return std::chrono::nanoseconds(std::chrono::steady_clock::now().time_since_epoch()).count();
}

// Takes so much CPU time of this thread.
void Compute(int64_t us) {
  const auto so_far = [] {
    timespec now{};
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
    return now.tv_sec * int64_t{1'000'000'000} + now.tv_nsec;
  };
  if (us == 0) return;
  for (const int64_t end = so_far() + us * 1000; so_far() < end;) {
  }
}

void Answer(const Payload& request, int64_t cpu_us, Payload* response) {
  Compute(cpu_us);
  if (request.stamp()) response->set_entered_ns(Now());
  response->set_data(request.data());
  if (request.stamp()) response->set_left_ns(Now());
}

template <typename Message>
grpc::Status ReadAll(grpc::ServerReader<Message>* reader, Received* response) {
  for (Message message; reader->Read(&message);) {
    response->set_bytes(response->bytes() + message.data().size());
  }
  return grpc::Status::OK;
}

template <typename Message>
grpc::Status AnswerAll(grpc::ServerReaderWriter<Message, Message>* stream) {
  Message response;
  for (Message request; stream->Read(&request);) {
    response.set_data(request.data());
    if (!stream->Write(response)) break;
  }
  return grpc::Status::OK;
}

class SyncEchoService : public Echo::Service {
 public:
  explicit SyncEchoService(int64_t handler_cpu_us) : handler_cpu_us_(handler_cpu_us) {}

 private:
  grpc::Status Call(grpc::ServerContext*, const Payload* request, Payload* response) override {
    Answer(*request, handler_cpu_us_, response);
    return grpc::Status::OK;
  }

  grpc::Status CallCord(grpc::ServerContext*, const CordPayload* request,
                        CordPayload* response) override {
    Compute(handler_cpu_us_);
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
  grpc::Status Exchange(grpc::ServerContext*,
                        grpc::ServerReaderWriter<Payload, Payload>* stream) override {
    return AnswerAll(stream);
  }
  grpc::Status ExchangeCord(grpc::ServerContext*,
                            grpc::ServerReaderWriter<CordPayload, CordPayload>* stream) override {
    return AnswerAll(stream);
  }
  grpc::Status Sleep(grpc::ServerContext*, const Payload* request, Payload*) override {
    return SleepFor(*request);
  }
  grpc::Status Count(grpc::ServerContext*, const Received*, Counters* response) override {
    *response = CountersOfThisProcess();
    return grpc::Status::OK;
  }

  const int64_t handler_cpu_us_;
};

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

// One message at a time: reads, answers, reads.
template <typename Message>
class ExchangeReactor : public grpc::ServerBidiReactor<Message, Message> {
 public:
  ExchangeReactor() { this->StartRead(&request_); }
  void OnReadDone(bool ok) override {
    if (!ok) return this->Finish(grpc::Status::OK);
    response_.set_data(request_.data());
    this->StartWrite(&response_);
  }
  void OnWriteDone(bool ok) override {
    if (!ok) return this->Finish(grpc::Status::OK);
    this->StartRead(&request_);
  }
  void OnDone() override { delete this; }

 private:
  Message request_, response_;
};

class EchoService : public Echo::CallbackService {
 public:
  explicit EchoService(int64_t handler_cpu_us) : handler_cpu_us_(handler_cpu_us) {}

 private:
  grpc::ServerUnaryReactor* Call(grpc::CallbackServerContext* context, const Payload* request,
                                 Payload* response) override {
    Answer(*request, handler_cpu_us_, response);
    return Done(context);
  }
  grpc::ServerUnaryReactor* CallCord(grpc::CallbackServerContext* context,
                                     const CordPayload* request, CordPayload* response) override {
    Compute(handler_cpu_us_);
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

  grpc::ServerBidiReactor<Payload, Payload>* Exchange(grpc::CallbackServerContext*) override {
    return new ExchangeReactor<Payload>;
  }
  grpc::ServerBidiReactor<CordPayload, CordPayload>* ExchangeCord(
      grpc::CallbackServerContext*) override {
    return new ExchangeReactor<CordPayload>;
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
    *response = CountersOfThisProcess();
    return Done(context);
  }

  static grpc::ServerUnaryReactor* Done(grpc::CallbackServerContext* context) {
    grpc::ServerUnaryReactor* reactor = context->DefaultReactor();
    reactor->Finish(grpc::Status::OK);
    return reactor;
  }

  const int64_t handler_cpu_us_;
};

}  // namespace

std::unique_ptr<grpc::Service> MakeEchoService(const Path& path) {
  if (path.service_api() == "sync") return std::make_unique<SyncEchoService>(path.handler_cpu_us());
  return std::make_unique<EchoService>(path.handler_cpu_us());
}

Counters CountersOfThisProcess() {
  const PayloadCounters payload = GetPayloadCounters();
  Counters counters;
  counters.set_copied_to_send(payload.sent_by_block + payload.sent_by_ring);
  counters.set_sent(counters.copied_to_send() + payload.sent_in_place);
  counters.set_copied_to_receive(payload.received_from_block + payload.received_from_ring);
  counters.set_received(counters.copied_to_receive() + payload.received_in_place);
  counters.set_memory_ns(internal::DistanceCounters::OfProcess().charged_ns);
  return counters;
}

}  // namespace grpc_cxl::bench
