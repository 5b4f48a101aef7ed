// SPDX-License-Identifier: Apache-2.0
#ifndef GRPC_CXL_SERVER_CREDENTIALS_H_
#define GRPC_CXL_SERVER_CREDENTIALS_H_

#include <grpcpp/security/server_credentials.h>

#include <memory>

#include "grpc_cxl/check_requirements.h"
#include "grpc_cxl/options.h"

namespace grpc_cxl {

// Credentials with which a server is reached through memory by the clients of this host that have
// grpc_cxl's credentials:
//
//   builder.AddListeningPort("0.0.0.0:50051", grpc_cxl::ServerCredentials());
//   builder.AddListeningPort("cxl:///payments", grpc_cxl::ServerCredentials());
//
// On a network address it listens as before, for everybody, and is found by these clients besides
// (docs/configuration.md, Network addresses). A `cxl:` address is theirs alone.
//
// `inner` secures the connections as it would over TCP: null or grpc::InsecureServerCredentials()
// for none, or TLS.
// Call this before BuildAndStart(): it calls grpc_cxl::MakeEngineDefault(), which lets the server
// do so. When the address cannot be served, BuildAndStart() returns null as it
// does for a taken TCP port, and a log line says why.
//
// Options and environment are read here: a variable that changes later has no effect.
//
// Thread-safe; one object may serve any number of addresses.
std::shared_ptr<grpc::ServerCredentials> ServerCredentials(
    const ServerOptions& options = {}, std::shared_ptr<grpc::ServerCredentials> inner = nullptr);

}  // namespace grpc_cxl

#endif  // GRPC_CXL_SERVER_CREDENTIALS_H_
