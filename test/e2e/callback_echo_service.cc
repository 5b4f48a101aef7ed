#include <functional>
#include <optional>
#include <utility>

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"
#include "test/e2e/echo.grpc.pb.h"
#include "test/e2e/echo_call.h"
#include "test/e2e/echo_service.h"

namespace grpc_cxl::e2e {
namespace {

const grpc::Status kGone(grpc::StatusCode::CANCELLED, "the caller has gone");

// A reactor that may wait at the gate without a thread. gRPC may report the cancellation
// at any time, also before the first request was looked at.
template <typename Reactor>
class GatedReactor : public Reactor {
 public:
  GatedReactor(ServiceControl* control, grpc::CallbackServerContext* context)
      : control_(control), call_(control, context) {}

  void OnCancel() override {
    absl::MutexLock lock(mu_);
    cancelled_ = true;
    if (ticket_.has_value() && control_->Forget(*ticket_)) this->Finish(kGone);
  }

  void OnDone() override { delete this; }

 protected:
  // Runs `next` at once, or when the gate opens; ends the call if it is cancelled first.
  void PassGate(std::function<void()> next) {
    if (call_.MustWait()) {
      absl::ReleasableMutexLock lock(mu_);
      if (cancelled_) return this->Finish(kGone);
      ticket_ = control_->WhenGateOpens(next);
      if (ticket_.has_value()) return control_->Count(&ServiceControl::Counts::at_gate);
    }
    next();
  }

  ServiceControl* const control_;
  EchoCall call_;

 private:
  absl::Mutex mu_;
  bool cancelled_ ABSL_GUARDED_BY(mu_) = false;
  std::optional<int64_t> ticket_ ABSL_GUARDED_BY(mu_);
};

class UnaryReactor final : public GatedReactor<grpc::ServerUnaryReactor> {
 public:
  UnaryReactor(ServiceControl* control, grpc::CallbackServerContext* context,
               const EchoRequest* request, EchoResponse* response)
      : GatedReactor(control, context) {
    call_.Add(*request);
    PassGate([this, response] {
      *response = call_.Respond();
      Finish(call_.Finish());
    });
  }
};

class ClientStreamReactor final : public GatedReactor<grpc::ServerReadReactor<EchoRequest>> {
 public:
  ClientStreamReactor(ServiceControl* control, grpc::CallbackServerContext* context,
                      EchoResponse* response)
      : GatedReactor(control, context), response_(response) {
    StartRead(&request_);
  }

  void OnReadDone(bool ok) override {
    if (!ok) {
      *response_ = call_.Respond();
      return Finish(call_.Finish());
    }
    call_.Add(request_);
    PassGate([this] { StartRead(&request_); });
  }

 private:
  EchoResponse* const response_;
  EchoRequest request_;
};

class ServerStreamReactor final : public GatedReactor<grpc::ServerWriteReactor<EchoResponse>> {
 public:
  ServerStreamReactor(ServiceControl* control, grpc::CallbackServerContext* context,
                      const EchoRequest* request)
      : GatedReactor(control, context) {
    call_.Add(*request);
    PassGate([this] { WriteNext(); });
  }

  void OnWriteDone(bool ok) override {
    if (!ok) return Finish(kGone);
    WriteNext();
  }

 private:
  void WriteNext() {
    if (written_++ == call_.responses_wanted()) return Finish(call_.Finish());
    response_ = call_.Respond();
    StartWrite(&response_);
  }

  uint32_t written_ = 0;
  EchoResponse response_;
};

class BidiReactor final : public GatedReactor<grpc::ServerBidiReactor<EchoRequest, EchoResponse>> {
 public:
  BidiReactor(ServiceControl* control, grpc::CallbackServerContext* context)
      : GatedReactor(control, context) {
    StartRead(&request_);
  }

  void OnReadDone(bool ok) override {
    if (!ok) return Finish(call_.Finish());
    call_.Add(request_);
    PassGate([this] {
      response_ = call_.Respond();
      StartWrite(&response_);
    });
  }

  void OnWriteDone(bool ok) override {
    if (!ok) return Finish(kGone);
    StartRead(&request_);
  }

 private:
  EchoRequest request_;
  EchoResponse response_;
};

class CallbackEcho final : public EchoService, public Echo::CallbackService {
 public:
  void Register(grpc::ServerBuilder* builder) override { builder->RegisterService(this); }

  grpc::ServerUnaryReactor* Unary(grpc::CallbackServerContext* context, const EchoRequest* request,
                                  EchoResponse* response) override {
    return new UnaryReactor(&control_, context, request, response);
  }
  grpc::ServerReadReactor<EchoRequest>* ClientStream(grpc::CallbackServerContext* context,
                                                     EchoResponse* response) override {
    return new ClientStreamReactor(&control_, context, response);
  }
  grpc::ServerWriteReactor<EchoResponse>* ServerStream(grpc::CallbackServerContext* context,
                                                       const EchoRequest* request) override {
    return new ServerStreamReactor(&control_, context, request);
  }
  grpc::ServerBidiReactor<EchoRequest, EchoResponse>* Bidi(
      grpc::CallbackServerContext* context) override {
    return new BidiReactor(&control_, context);
  }
};

}  // namespace

std::unique_ptr<EchoService> MakeCallbackEchoService() { return std::make_unique<CallbackEcho>(); }

}  // namespace grpc_cxl::e2e
