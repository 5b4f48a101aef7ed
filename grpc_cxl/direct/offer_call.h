// SPDX-License-Identifier: Apache-2.0
#ifndef GRPC_CXL_DIRECT_OFFER_CALL_H_
#define GRPC_CXL_DIRECT_OFFER_CALL_H_

#include <grpcpp/support/client_interceptor.h>

#include <memory>
#include <utility>

#include "grpc_cxl/direct/offer.h"

namespace grpc_cxl::internal {

// The interceptor of a call over the network that carries an offer. The application sees neither
// offer nor answer.
class OfferCall final : public grpc::experimental::Interceptor {
 public:
  explicit OfferCall(std::shared_ptr<const DirectOffer> offer) : offer_(std::move(offer)) {}

  void Intercept(grpc::experimental::InterceptorBatchMethods* methods) override;

 private:
  const std::shared_ptr<const DirectOffer> offer_;
};

}  // namespace grpc_cxl::internal

#endif  // GRPC_CXL_DIRECT_OFFER_CALL_H_
