// SPDX-License-Identifier: Apache-2.0
#include "grpc_cxl/direct/offer_answer.h"

#include <grpcpp/server_context.h>

#include "grpc_cxl/direct/offer.h"

namespace grpc_cxl::internal {
namespace {

using grpc::experimental::InterceptionHookPoints;
using grpc::experimental::Interceptor;
using grpc::experimental::InterceptorBatchMethods;
using grpc::experimental::ServerRpcInfo;

class OfferedCall final : public Interceptor {
 public:
  explicit OfferedCall(OfferAnswers::Answer answer) : answer_(std::move(answer)) {}

  void Intercept(InterceptorBatchMethods* methods) override {
    if (methods->QueryInterceptionHookPoint(InterceptionHookPoints::POST_RECV_INITIAL_METADATA)) {
      auto* const metadata = methods->GetRecvInitialMetadata();
      if (const auto found = metadata->find(kOfferKey); found != metadata->end()) {
        offer_ = std::string(found->second.data(), found->second.size());
        metadata->erase(kOfferKey);
      }
    }
    if (!offer_.empty() &&
        methods->QueryInterceptionHookPoint(InterceptionHookPoints::PRE_SEND_INITIAL_METADATA)) {
      const std::string name = answer_(std::exchange(offer_, ""));
      if (!name.empty()) methods->GetSendInitialMetadata()->emplace(kAnswerKey, name);
    }
    methods->Proceed();
  }

 private:
  const OfferAnswers::Answer answer_;
  std::string offer_;
};

class Factory final : public grpc::experimental::ServerInterceptorFactoryInterface {
 public:
  explicit Factory(std::shared_ptr<OfferAnswers> answers) : answers_(std::move(answers)) {}

  Interceptor* CreateServerInterceptor(ServerRpcInfo* info) override {
    if (!OfferSeason::IsOn() || info->type() != ServerRpcInfo::Type::UNARY) return nullptr;
    OfferAnswers::Answer answer = answers_->Get();
    if (!answer) return nullptr;
    const auto& metadata = info->server_context()->client_metadata();
    return metadata.find(kOfferKey) == metadata.end() ? nullptr
                                                      : new OfferedCall(std::move(answer));
  }

 private:
  const std::shared_ptr<OfferAnswers> answers_;
};

}  // namespace

std::unique_ptr<grpc::experimental::ServerInterceptorFactoryInterface> MakeOfferAnswers(
    std::shared_ptr<OfferAnswers> answers) {
  return std::make_unique<Factory>(std::move(answers));
}

}  // namespace grpc_cxl::internal
