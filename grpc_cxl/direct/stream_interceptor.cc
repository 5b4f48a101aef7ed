// SPDX-License-Identifier: Apache-2.0
#include "grpc_cxl/direct/stream_interceptor.h"

#include <memory>
#include <utility>

#include "grpc_cxl/direct/call_counters.h"
#include "grpc_cxl/direct/call_observer.h"
#include "grpc_cxl/direct/global_interceptor.h"
#include "grpc_cxl/direct/static_text.h"
#include "grpc_cxl/direct/stream_call.h"
#include "grpc_cxl/payload/message_types.h"

namespace grpc_cxl::internal {
namespace {

using grpc::experimental::ClientRpcInfo;
using grpc::experimental::InterceptionHookPoints;
using grpc::experimental::Interceptor;
using grpc::experimental::InterceptorBatchMethods;

class StreamInterceptor final : public Interceptor {
 public:
  StreamInterceptor(std::shared_ptr<StreamCall> call, grpc::ClientContext* context)
      : call_(std::move(call)), context_(context) {}
  ~StreamInterceptor() override {
    if (direct_) call_->Abandon();
  }

  void Intercept(InterceptorBatchMethods* methods) override {
    if (methods->QueryInterceptionHookPoint(InterceptionHookPoints::PRE_SEND_CANCEL)) {
      return call_->Cancel();
    }
    if (!begun_) {
      begun_ = true;
      direct_ =
          methods->QueryInterceptionHookPoint(InterceptionHookPoints::PRE_SEND_INITIAL_METADATA) &&
          call_->Begin(methods, *context_);
      if (!direct_) return methods->Proceed();
      CallCounters::OfProcess().direct_streams.Add();
      return methods->Hijack();
    }
    if (!direct_) return methods->Proceed();
    const auto has = [methods](InterceptionHookPoints point) {
      return methods->QueryInterceptionHookPoint(point);
    };
    if (has(InterceptionHookPoints::PRE_SEND_MESSAGE) ||
        has(InterceptionHookPoints::PRE_SEND_CLOSE)) {
      call_->Send(methods);
    } else if (has(InterceptionHookPoints::PRE_RECV_INITIAL_METADATA) ||
               has(InterceptionHookPoints::PRE_RECV_MESSAGE) ||
               has(InterceptionHookPoints::PRE_RECV_STATUS)) {
      call_->Receive(methods);
    } else {
      methods->Proceed();
    }
  }

 private:
  const std::shared_ptr<StreamCall> call_;
  grpc::ClientContext* const context_;
  // Set by the first batch, which is over with that before there are others.
  bool begun_ = false;
  bool direct_ = false;
};

}  // namespace

Interceptor* MakeStreamInterceptor(const DirectChannel& channel, ClientRpcInfo* info) {
  if (HasGlobalInterceptor() || CallObserver::Get() != nullptr) return nullptr;
  uint32_t under_way = 0;
  std::shared_ptr<const CallRoute> route = channel.routes->Choose(&under_way);
  if (route == nullptr || route->streams == nullptr || !IsLiteral(info->method())) return nullptr;
  const MessageTypes* const types = FindMessageTypes(info->method());
  if (types == nullptr) return nullptr;
  return new StreamInterceptor(
      std::make_shared<StreamCall>(channel, std::move(route), *types, info->method()),
      info->client_context());
}

}  // namespace grpc_cxl::internal
