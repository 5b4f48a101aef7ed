// SPDX-License-Identifier: Apache-2.0
#include "grpc_cxl/direct/stream_interceptor.h"

#include <memory>
#include <utility>

#include "grpc_cxl/direct/call_counters.h"
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
  ~StreamInterceptor() override { call_->Abandon(); }

  void Intercept(InterceptorBatchMethods* methods) override {
    if (methods->QueryInterceptionHookPoint(InterceptionHookPoints::PRE_SEND_CANCEL)) {
      return call_->Cancel();
    }
    if (corked_) return methods->Proceed();
    if (std::exchange(begun_, true)) return call_->Intercept(methods);
    if (methods->QueryInterceptionHookPoint(InterceptionHookPoints::PRE_SEND_INITIAL_METADATA)) {
      return call_->Begin(methods, *context_);
    }
    corked_ = true;
    CallCounters::OfProcess().http2_streams.Add();
    methods->Proceed();
  }

 private:
  const std::shared_ptr<StreamCall> call_;
  grpc::ClientContext* const context_;
  // Set by the first batch, before there are others.
  bool begun_ = false;
  bool corked_ = false;  // the call is gRPC's
};

// The connection for a stream: another replica's if at the first as many calls wait as may.
std::shared_ptr<const CallRoute> ChooseRoute(const CallRoutes& routes) {
  uint32_t under_way = 0;
  std::shared_ptr<const CallRoute> route = routes.Choose(&under_way);
  if (route == nullptr || route->score == nullptr || !route->queue->IsFull()) return route;
  std::shared_ptr<const CallRoute> other = routes.Choose(&under_way, route.get());
  return other == nullptr || other->queue->IsFull() ? route : other;
}

StreamInterceptor* MakeInterceptor(const DirectChannel& channel, ClientRpcInfo* info) {
  if (HasGlobalInterceptor()) return nullptr;
  std::shared_ptr<const CallRoute> route = ChooseRoute(*channel.routes);
  if (route == nullptr || route->streams == nullptr || !IsLiteral(info->method())) return nullptr;
  const MessageTypes* const types = FindMessageTypes(info->method());
  if (types == nullptr) return nullptr;
  return new StreamInterceptor(
      std::make_shared<StreamCall>(channel, std::move(route), *types, info->method()),
      info->client_context());
}

}  // namespace

Interceptor* MakeStreamInterceptor(const DirectChannel& channel, ClientRpcInfo* info) {
  StreamInterceptor* const made = MakeInterceptor(channel, info);
  if (made == nullptr) CallCounters::OfProcess().http2_streams.Add();
  return made;
}

}  // namespace grpc_cxl::internal
