// SPDX-License-Identifier: Apache-2.0
#ifndef GRPC_CXL_CHANNEL_CREDENTIALS_H_
#define GRPC_CXL_CHANNEL_CREDENTIALS_H_

#include <grpcpp/security/credentials.h>

#include <memory>

#include "grpc_cxl/options.h"

namespace grpc_cxl {

// Credentials that make `cxl:` targets work; everything else about the channel stays
// gRPC's own:
//
//   auto channel = grpc::CreateChannel("cxl:///payments", grpc_cxl::ChannelCredentials());
//
// `inner` secures the connection as it would over TCP: null or
// grpc::InsecureChannelCredentials() for none (the kernel has checked the peer's user), or TLS,
// whose host name check sees the service's name ("payments"). Call credentials belong inside as
// well: pass grpc::CompositeChannelCredentials(tls, call) as `inner`. Do not put these credentials
// inside composite ones; gRPC would then use their plain inside alone.
//
// A target of any other scheme goes where it always went, over `inner`. Invalid options
// show as the channel's errors: every call ends UNAVAILABLE with the reason.
//
// Options and environment are read here: a variable that changes later has no effect.
//
// Thread-safe; one object may serve any number of channels.
std::shared_ptr<grpc::ChannelCredentials> ChannelCredentials(
    const ChannelOptions& options = {}, std::shared_ptr<grpc::ChannelCredentials> inner = nullptr);

}  // namespace grpc_cxl

#endif  // GRPC_CXL_CHANNEL_CREDENTIALS_H_
