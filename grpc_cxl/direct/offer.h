// SPDX-License-Identifier: Apache-2.0
#ifndef GRPC_CXL_DIRECT_OFFER_H_
#define GRPC_CXL_DIRECT_OFFER_H_

#include <functional>
#include <memory>
#include <string>

namespace grpc_cxl::internal {

// What a client says of itself in a call's metadata, and the name that a server of the same host
// answers in its initial metadata (docs/protocol.md, 2.7).
inline constexpr char kOfferKey[] = "cxl-offer";
inline constexpr char kAnswerKey[] = "cxl-answer";

// An offer to make with one call. A plain value.
struct DirectOffer {
  std::string text;
  // The server's answer, which may be a lie; on any thread.
  std::function<void(const std::string& name)> on_answer;
};

}  // namespace grpc_cxl::internal

#endif  // GRPC_CXL_DIRECT_OFFER_H_
