// SPDX-License-Identifier: Apache-2.0
#include "grpc_cxl/direct/offer_call.h"

#include <map>
#include <string>

namespace grpc_cxl::internal {

using grpc::experimental::InterceptionHookPoints;

void OfferCall::Intercept(grpc::experimental::InterceptorBatchMethods* methods) {
  if (methods->QueryInterceptionHookPoint(InterceptionHookPoints::PRE_SEND_INITIAL_METADATA)) {
    methods->GetSendInitialMetadata()->emplace(kOfferKey, offer_->text);
  }
  if (methods->QueryInterceptionHookPoint(InterceptionHookPoints::POST_RECV_INITIAL_METADATA)) {
    auto* const metadata = methods->GetRecvInitialMetadata();
    const auto found =
        metadata == nullptr ? decltype(metadata->end()){} : metadata->find(kAnswerKey);
    if (metadata != nullptr && found != metadata->end()) {
      const std::string name(found->second.data(), found->second.size());
      metadata->erase(found);
      offer_->on_answer(name);
    }
  }
  methods->Proceed();
}

}  // namespace grpc_cxl::internal
