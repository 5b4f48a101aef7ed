// SPDX-License-Identifier: Apache-2.0
#include "grpc_cxl/direct/default_priority.h"

#include <map>
#include <string>
#include <utility>

#include "grpc_cxl/payload/priority_metadata.h"

namespace grpc_cxl::internal {
namespace {

using grpc::experimental::ClientInterceptorFactoryInterface;
using grpc::experimental::ClientRpcInfo;
using grpc::experimental::InterceptionHookPoints;
using grpc::experimental::Interceptor;

class DefaultPriority final : public Interceptor {
 public:
  explicit DefaultPriority(const std::string& text) : text_(text) {}

  void Intercept(grpc::experimental::InterceptorBatchMethods* methods) override {
    if (methods->QueryInterceptionHookPoint(InterceptionHookPoints::PRE_SEND_INITIAL_METADATA)) {
      auto* const metadata = methods->GetSendInitialMetadata();
      if (!metadata->contains(kPriorityKey)) metadata->emplace(kPriorityKey, text_);
    }
    methods->Proceed();
  }

 private:
  const std::string& text_;  // the factory's, which outlives all calls
};

class Factory final : public ClientInterceptorFactoryInterface {
 public:
  explicit Factory(std::string text) : text_(std::move(text)) {}

  Interceptor* CreateClientInterceptor(ClientRpcInfo*) override {
    return new DefaultPriority(text_);
  }

 private:
  const std::string text_;
};

}  // namespace

std::unique_ptr<ClientInterceptorFactoryInterface> MakeDefaultPriority(Priority priority) {
  return std::make_unique<Factory>(PriorityText(FieldOf(priority)));
}

}  // namespace grpc_cxl::internal
