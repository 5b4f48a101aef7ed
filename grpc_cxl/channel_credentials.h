// SPDX-License-Identifier: Apache-2.0
#ifndef GRPC_CXL_CHANNEL_CREDENTIALS_H_
#define GRPC_CXL_CHANNEL_CREDENTIALS_H_

#include <grpcpp/security/credentials.h>

#include <memory>

#include "grpc_cxl/check_requirements.h"
#include "grpc_cxl/options.h"

namespace grpc_cxl {

// Credentials with which connections to servers of this host go through memory; everything else
// about the channel stays gRPC's own:
//
//   auto channel = grpc::CreateChannel("dns:///payments:50051", grpc_cxl::ChannelCredentials());
//   auto channel = grpc::CreateChannel("cxl:///payments", grpc_cxl::ChannelCredentials());
//
// A network target is resolved and balanced as gRPC does. An address at which a server of this
// host listens with grpc_cxl's credentials is reached through memory, every other over the network
// (docs/configuration.md, Network addresses). A `cxl:` target is reached through memory only.
//
// `inner` secures the connection as it would over TCP: null or
// grpc::InsecureChannelCredentials() for none (the kernel has checked the peer's user), or TLS,
// whose host name check sees the target's host, or the service's name ("payments"). Call
// credentials belong inside as well: pass grpc::CompositeChannelCredentials(tls, call) as `inner`.
// Do not put these credentials inside composite ones; gRPC would then use their plain inside alone.
//
// Invalid options show as the channel's errors: every call ends UNAVAILABLE with the reason.
//
// Options and environment are read here: a variable that changes later has no effect.
//
// Thread-safe; one object may serve any number of channels.
std::shared_ptr<grpc::ChannelCredentials> ChannelCredentials(
    const ChannelOptions& options = {}, std::shared_ptr<grpc::ChannelCredentials> inner = nullptr);

}  // namespace grpc_cxl

#endif  // GRPC_CXL_CHANNEL_CREDENTIALS_H_
