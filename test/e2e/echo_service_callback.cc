// SPDX-License-Identifier: Apache-2.0
#include <grpc/event_engine/event_engine.h>

#include <atomic>
#include <chrono>
#include <functional>
#include <utility>

#include "test/e2e/echo.grpc.pb.h"
#include "test/e2e/echo_call.h"
#include "test/e2e/echo_service.h"

namespace grpc_cxl::e2e {
namespace {

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

 private:
  // A reactor that may wait at the gate without a thread.
  template <typename Base>
  class Reactor : public Base {
   public:
    Reactor(ServiceControl* control, grpc::CallbackServerContext* context)
        : call_(control, context), control_(control) {}

    void OnCancel() override { cancelled_ = true; }
    void OnDone() override { delete this; }

   protected:
    // Runs `next` at once, or when the gate opens; ends the call if it is cancelled first.
    void PassGate(std::function<void()> next) {
      if (!call_.MustWait()) return next();
      control_->Count(&ServiceControl::Counts::at_gate);
      LookAtGate(std::move(next));
    }

    EchoCall call_;

   private:
    void LookAtGate(std::function<void()> next) {
      if (cancelled_) return this->Finish(Gone());
      if (control_->GateOpens(absl::ZeroDuration())) return next();
      grpc_event_engine::experimental::GetDefaultEventEngine()->RunAfter(
          std::chrono::milliseconds(1),
          [this, next = std::move(next)]() mutable { LookAtGate(std::move(next)); });
    }

    ServiceControl* const control_;
    std::atomic<bool> cancelled_{false};
  };

  class UnaryReactor final : public Reactor<grpc::ServerUnaryReactor> {
   public:
    UnaryReactor(ServiceControl* control, grpc::CallbackServerContext* context,
                 const EchoRequest* request, EchoResponse* response)
        : Reactor(control, context) {
      call_.Add(*request);
      PassGate([this, response] {
        *response = call_.Respond();
        Finish(call_.Finish());
      });
    }
  };

  class ClientStreamReactor final : public Reactor<grpc::ServerReadReactor<EchoRequest>> {
   public:
    ClientStreamReactor(ServiceControl* control, grpc::CallbackServerContext* context,
                        EchoResponse* response)
        : Reactor(control, context), response_(response) {
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

  class ServerStreamReactor final : public Reactor<grpc::ServerWriteReactor<EchoResponse>> {
   public:
    ServerStreamReactor(ServiceControl* control, grpc::CallbackServerContext* context,
                        const EchoRequest* request)
        : Reactor(control, context) {
      call_.Add(*request);
      PassGate([this] { OnWriteDone(true); });
    }

    void OnWriteDone(bool ok) override {
      if (!ok) return Finish(Gone());
      if (written_++ == call_.responses_wanted()) return Finish(call_.Finish());
      response_ = call_.Respond();
      StartWrite(&response_);
    }

   private:
    uint32_t written_ = 0;
    EchoResponse response_;
  };

  class BidiReactor final : public Reactor<grpc::ServerBidiReactor<EchoRequest, EchoResponse>> {
   public:
    BidiReactor(ServiceControl* control, grpc::CallbackServerContext* context)
        : Reactor(control, context) {
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
      if (!ok) return Finish(Gone());
      StartRead(&request_);
    }

   private:
    EchoRequest request_;
    EchoResponse response_;
  };
};

}  // namespace

std::unique_ptr<EchoService> MakeCallbackEchoService() { return std::make_unique<CallbackEcho>(); }

}  // namespace grpc_cxl::e2e
