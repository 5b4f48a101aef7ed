#include <atomic>
#include <cstddef>
#include <utility>

#include "absl/synchronization/notification.h"
#include "test/e2e/client_call.h"

namespace grpc_cxl::e2e {
namespace {

// Waits for the end of a call, which a reactor announces from OnDone().
class Ending {
 public:
  void Announce(const grpc::Status& status) {
    status_ = status;
    done_.Notify();
  }
  grpc::Status Await() {
    done_.WaitForNotification();
    return status_;
  }

 private:
  grpc::Status status_;
  absl::Notification done_;
};

class Writer final : public grpc::ClientWriteReactor<EchoRequest> {
 public:
  explicit Writer(const std::vector<EchoRequest>& requests) : requests_(requests) {}

  void Start() {
    WriteNext();
    StartCall();
  }
  grpc::Status Await() { return ending_.Await(); }

 private:
  void OnWriteDone(bool ok) override {
    if (ok) WriteNext();
  }
  void OnDone(const grpc::Status& status) override { ending_.Announce(status); }

  void WriteNext() {
    if (next_ == requests_.size()) return StartWritesDone();
    StartWrite(&requests_[next_++]);
  }

  const std::vector<EchoRequest>& requests_;
  size_t next_ = 0;
  Ending ending_;
};

class Reader final : public grpc::ClientReadReactor<EchoResponse> {
 public:
  explicit Reader(std::vector<EchoResponse>* responses) : responses_(responses) {}

  void Start() {
    StartRead(&response_);
    StartCall();
  }
  grpc::Status Await() { return ending_.Await(); }

 private:
  void OnReadDone(bool ok) override {
    if (!ok) return;
    responses_->push_back(response_);
    StartRead(&response_);
  }
  void OnDone(const grpc::Status& status) override { ending_.Announce(status); }

  std::vector<EchoResponse>* const responses_;
  EchoResponse response_;
  Ending ending_;
};

// A response may be here before its request is reported as written; the next exchange
// begins when both have been reported, in whatever order and on whatever threads.
class Conversation final : public grpc::ClientBidiReactor<EchoRequest, EchoResponse> {
 public:
  Conversation(const std::vector<EchoRequest>& requests, std::vector<EchoResponse>* responses)
      : requests_(requests), responses_(responses) {}

  void Start() {
    Exchange();
    StartCall();
  }
  grpc::Status Await() { return ending_.Await(); }

 private:
  void OnReadDone(bool ok) override {
    if (!ok) return;
    responses_->push_back(response_);
    Reported();
  }
  void OnWriteDone(bool ok) override {
    if (ok) Reported();
  }
  void OnWritesDoneDone(bool ok) override {
    if (ok) Reported();
  }
  void OnDone(const grpc::Status& status) override { ending_.Announce(status); }

  void Reported() {
    if (--unreported_ == 0) Exchange();
  }

  void Exchange() {
    const size_t next = next_++;
    unreported_ = next <= requests_.size() ? 2 : 1;
    StartRead(&response_);
    if (next < requests_.size()) StartWrite(&requests_[next]);
    if (next == requests_.size()) StartWritesDone();
  }

  const std::vector<EchoRequest>& requests_;
  std::vector<EchoResponse>* const responses_;
  std::atomic<int> unreported_{0};
  size_t next_ = 0;
  EchoResponse response_;
  Ending ending_;
};

grpc::Status Unary(Echo::Stub* stub, const ClientCall& call, grpc::ClientContext* context,
                   std::vector<EchoResponse>* responses) {
  EchoResponse response;
  Ending ending;
  stub->async()->Unary(context, &call.requests[0], &response,
                       [&ending](const grpc::Status& status) { ending.Announce(status); });
  const grpc::Status status = ending.Await();
  if (status.ok()) responses->push_back(std::move(response));
  return status;
}

grpc::Status ClientStream(Echo::Stub* stub, const ClientCall& call, grpc::ClientContext* context,
                          std::vector<EchoResponse>* responses) {
  EchoResponse response;
  Writer writer(call.requests);
  stub->async()->ClientStream(context, &response, &writer);
  writer.Start();
  const grpc::Status status = writer.Await();
  if (status.ok()) responses->push_back(std::move(response));
  return status;
}

grpc::Status ServerStream(Echo::Stub* stub, const ClientCall& call, grpc::ClientContext* context,
                          std::vector<EchoResponse>* responses) {
  Reader reader(responses);
  stub->async()->ServerStream(context, &call.requests[0], &reader);
  reader.Start();
  return reader.Await();
}

grpc::Status Bidi(Echo::Stub* stub, const ClientCall& call, grpc::ClientContext* context,
                  std::vector<EchoResponse>* responses) {
  Conversation conversation(call.requests, responses);
  stub->async()->Bidi(context, &conversation);
  conversation.Start();
  return conversation.Await();
}

}  // namespace

Outcome PerformCallback(Echo::Stub* stub, const ClientCall& call) {
  grpc::ClientContext context;
  if (call.prepare) call.prepare(&context);
  std::vector<EchoResponse> responses;
  grpc::Status status;
  switch (call.kind) {
    case RpcKind::kUnary:
      status = Unary(stub, call, &context, &responses);
      break;
    case RpcKind::kClientStream:
      status = ClientStream(stub, call, &context, &responses);
      break;
    case RpcKind::kServerStream:
      status = ServerStream(stub, call, &context, &responses);
      break;
    case RpcKind::kBidi:
      status = Bidi(stub, call, &context, &responses);
      break;
  }
  if (call.conclude) call.conclude();
  Outcome outcome = Conclude(context, status);
  outcome.responses = std::move(responses);
  return outcome;
}

}  // namespace grpc_cxl::e2e
