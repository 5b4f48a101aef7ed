// SPDX-License-Identifier: Apache-2.0
#ifndef GRPC_CXL_SETTINGS_CREDENTIALS_H_
#define GRPC_CXL_SETTINGS_CREDENTIALS_H_

#include <grpcpp/security/credentials.h>

#include <memory>

#include "absl/status/statusor.h"
#include "grpc_cxl/event_engine/settings.h"

namespace grpc_cxl::internal {

// ChannelCredentials() for a server's own channel: whatever both ends have is the server's, and
// what only channels have is their default. An error of the environment is every connection's.
std::shared_ptr<grpc::ChannelCredentials> CredentialsLike(const EndpointSettings& server);

}  // namespace grpc_cxl::internal

#endif  // GRPC_CXL_SETTINGS_CREDENTIALS_H_
