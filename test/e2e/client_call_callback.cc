// SPDX-License-Identifier: Apache-2.0
#include <atomic>
#include <cstddef>
#include <utility>

#include "absl/synchronization/notification.h"
#include "test/e2e/client_call.h"

namespace grpc_cxl::e2e {
namespace {

// Waits for the end of a call, which OnDone() announces.
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

// The next operation is started from inside the last one's callback.
template <typename Base>
class Reactor : public Base {
 public:
  grpc::Status Run() {
    this->StartCall();
    return ending_.Await();
  }

 private:
  void OnDone(const grpc::Status& status) override { ending_.Announce(status); }

  Ending ending_;
};

class Writer final : public Reactor<grpc::ClientWriteReactor<EchoRequest>> {
 public:
  explicit Writer(const std::vector<EchoRequest>& requests) : requests_(requests) {}

  void OnWriteDone(bool ok) override {
    if (!ok) return;
    if (next_ == requests_.size()) return StartWritesDone();
    StartWrite(&requests_[next_++]);
  }

 private:
  const std::vector<EchoRequest>& requests_;
  size_t next_ = 0;
};

class Reader final : public Reactor<grpc::ClientReadReactor<EchoResponse>> {
 public:
  explicit Reader(std::vector<EchoResponse>* responses) : responses_(responses) {}

  void Start() { StartRead(&response_); }
  void OnReadDone(bool ok) override {
    if (!ok) return;
    responses_->push_back(response_);
    Start();
  }

 private:
  std::vector<EchoResponse>* const responses_;
  EchoResponse response_;
};

// A response may be here before its request is reported as written; the next exchange
// begins when both have been reported, in whatever order and on whatever threads.
class Conversation final : public Reactor<grpc::ClientBidiReactor<EchoRequest, EchoResponse>> {
 public:
  Conversation(const std::vector<EchoRequest>& requests, std::vector<EchoResponse>* responses)
      : requests_(requests), responses_(responses) {}

  void Exchange() {
    const size_t next = next_++;
    unreported_ = next <= requests_.size() ? 2 : 1;
    StartRead(&response_);
    if (next < requests_.size()) StartWrite(&requests_[next]);
    if (next == requests_.size()) StartWritesDone();
  }

 private:
  void OnReadDone(bool ok) override {
    if (ok) responses_->push_back(response_);
    Reported(ok);
  }
  void OnWriteDone(bool ok) override { Reported(ok); }
  void OnWritesDoneDone(bool ok) override { Reported(ok); }

  void Reported(bool ok) {
    if (ok && --unreported_ == 0) Exchange();
  }

  const std::vector<EchoRequest>& requests_;
  std::vector<EchoResponse>* const responses_;
  std::atomic<int> unreported_{0};
  size_t next_ = 0;
  EchoResponse response_;
};

}  // namespace

grpc::Status PerformCallback(Echo::Stub* stub, const ClientCall& call, grpc::ClientContext* context,
                             std::vector<EchoResponse>* responses) {
  EchoResponse response;
  grpc::Status status;
  switch (call.kind) {
    case RpcKind::kUnary: {
      Ending ending;
      stub->async()->Unary(context, &call.requests[0], &response,
                           [&ending](const grpc::Status& its) { ending.Announce(its); });
      status = ending.Await();
      break;
    }
    case RpcKind::kClientStream: {
      Writer writer(call.requests);
      stub->async()->ClientStream(context, &response, &writer);
      writer.OnWriteDone(true);
      status = writer.Run();
      break;
    }
    case RpcKind::kServerStream: {
      Reader reader(responses);
      stub->async()->ServerStream(context, &call.requests[0], &reader);
      reader.Start();
      return reader.Run();
    }
    case RpcKind::kBidi: {
      Conversation conversation(call.requests, responses);
      stub->async()->Bidi(context, &conversation);
      conversation.Exchange();
      return conversation.Run();
    }
  }
  if (status.ok()) responses->push_back(std::move(response));
  return status;
}

}  // namespace grpc_cxl::e2e
