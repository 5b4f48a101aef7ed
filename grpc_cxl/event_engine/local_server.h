// SPDX-License-Identifier: Apache-2.0
#ifndef GRPC_CXL_EVENT_ENGINE_LOCAL_SERVER_H_
#define GRPC_CXL_EVENT_ENGINE_LOCAL_SERVER_H_

#include <grpc/event_engine/event_engine.h>

#include <functional>
#include <optional>
#include <string>

#include "absl/status/status.h"
#include "grpc_cxl/event_engine/settings.h"
#include "grpc_cxl/rendezvous/service_name.h"

namespace grpc_cxl::internal {

// A server of this host that has registered a network address.
struct LocalServer {
  ServiceName name;
  // Whether the process at the other end of `socket`, which the name led to, may answer for the
  // address: PERMISSION_DENIED, or an error of CheckAnswersFor().
  std::function<absl::Status(int socket)> check;
};

// The server for an address of a channel; nullopt: none. It has registered
//
//   * the TCP address, in the calling thread's network namespace. It must be whom the kernel would
//     connect.
//   * Or the file of the unix socket. It must have the uid of the file's owner.
//   * Or `host`, the host and port of the channel's target, as one of its own. It must have our own
//     uid or root's, be one of `trusted_uids`, or prove to know our secret.
//
// May be dead, or a liar: see check(). A few system calls; makes no directory.
std::optional<LocalServer> FindLocalServer(
    const grpc_event_engine::experimental::EventEngine::ResolvedAddress& address,
    const std::string& host, const EndpointSettings& settings);

}  // namespace grpc_cxl::internal

#endif  // GRPC_CXL_EVENT_ENGINE_LOCAL_SERVER_H_
