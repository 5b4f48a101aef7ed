// SPDX-License-Identifier: Apache-2.0
#include "grpc_cxl/direct/place_holders.h"

#include <grpcpp/server_context.h>

#include <utility>

#include "absl/strings/string_view.h"
#include "grpc_cxl/direct/call_place.h"

namespace grpc_cxl::internal {
namespace {

using grpc::experimental::InterceptionHookPoints;
using grpc::experimental::Interceptor;
using grpc::experimental::InterceptorBatchMethods;
using grpc::experimental::ServerRpcInfo;

class Holder final : public Interceptor {
 public:
  explicit Holder(std::shared_ptr<CallPlace> place) : place_(std::move(place)) {}
  ~Holder() override {
    if (place_ == nullptr) return;  // the call was over before
    const std::shared_ptr<CallCapacity> capacity = place_->capacity();
    place_ = nullptr;
    capacity->BeginWaiting();
  }

  void Intercept(InterceptorBatchMethods* methods) override {
    if (methods->QueryInterceptionHookPoint(InterceptionHookPoints::POST_RECV_INITIAL_METADATA)) {
      methods->GetRecvInitialMetadata()->erase(CallPlace::kKey);
    }
    methods->Proceed();
  }

 private:
  std::shared_ptr<CallPlace> place_;
};

class Factory final : public grpc::experimental::ServerInterceptorFactoryInterface {
 public:
  // The interceptor lives as long as the handler's context. Of a generic service, gRPC does not say
  // that the call is unary.
  Interceptor* CreateServerInterceptor(ServerRpcInfo* info) override {
    if (!CallPlace::Any()) return nullptr;
    const auto& metadata = info->server_context()->client_metadata();
    const auto found = metadata.find(CallPlace::kKey);
    if (found == metadata.end()) return nullptr;
    auto place = CallPlace::Find(absl::string_view(found->second.data(), found->second.size()));
    return new Holder(std::move(place));
  }
};

}  // namespace

std::unique_ptr<grpc::experimental::ServerInterceptorFactoryInterface> MakePlaceHolders() {
  return std::make_unique<Factory>();
}

}  // namespace grpc_cxl::internal
