// SPDX-License-Identifier: Apache-2.0
#ifndef GRPC_CXL_RENDEZVOUS_HOST_NAME_H_
#define GRPC_CXL_RENDEZVOUS_HOST_NAME_H_

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "grpc_cxl/rendezvous/service_name.h"

namespace grpc_cxl::internal {

// The name under which a server is found that is also known as `host`, such as
// "payments.prod.svc:50051", in any network namespace: name=payments.prod.svc:50051. Case does not
// count. INVALID_ARGUMENT with a sentence that quotes `host`: it must be letters, digits, `.`, `_`
// and `-`, a colon and a port, at most 75 characters in all. Other hosts have no such name.
absl::StatusOr<ServiceName> NameOfHost(absl::string_view host);

}  // namespace grpc_cxl::internal

#endif  // GRPC_CXL_RENDEZVOUS_HOST_NAME_H_
