// SPDX-License-Identifier: Apache-2.0
#ifndef GRPC_CXL_SERVER_CREDENTIALS_H_
#define GRPC_CXL_SERVER_CREDENTIALS_H_

#include <grpcpp/security/server_credentials.h>

#include <memory>

#include "grpc_cxl/options.h"

namespace grpc_cxl {

// Credentials that let a server listen on a `cxl:` address; ports on other transports can
// stand beside it:
//
//   builder.AddListeningPort("cxl:///payments", grpc_cxl::ServerCredentials());
//
// `inner` secures the connections as it would over TCP: null or grpc::InsecureServerCredentials()
// for none, or TLS.
// Call this before BuildAndStart(): it calls grpc_cxl::MakeEngineDefault(), which lets the server
// listen on `cxl:` addresses. When the address cannot be served, BuildAndStart() returns null as it
// does for a taken TCP port, and a log line says why.
//
// Options and environment are read here: a variable that changes later has no effect.
//
// Thread-safe; one object may serve any number of addresses.
std::shared_ptr<grpc::ServerCredentials> ServerCredentials(
    const ServerOptions& options = {}, std::shared_ptr<grpc::ServerCredentials> inner = nullptr);

}  // namespace grpc_cxl

#endif  // GRPC_CXL_SERVER_CREDENTIALS_H_
