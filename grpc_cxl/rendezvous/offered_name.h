// SPDX-License-Identifier: Apache-2.0
#ifndef GRPC_CXL_RENDEZVOUS_OFFERED_NAME_H_
#define GRPC_CXL_RENDEZVOUS_OFFERED_NAME_H_

#include "absl/strings/string_view.h"
#include "grpc_cxl/rendezvous/service_name.h"

namespace grpc_cxl::internal {

inline constexpr absl::string_view kOfferedPrefix = "offer=";

// A name that nobody has had or can guess: offer=<32 hexadecimal digits>. No target can name it.
ServiceName NewOfferedName();

bool IsOfferedName(absl::string_view name);

}  // namespace grpc_cxl::internal

#endif  // GRPC_CXL_RENDEZVOUS_OFFERED_NAME_H_
