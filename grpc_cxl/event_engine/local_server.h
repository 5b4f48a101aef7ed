// SPDX-License-Identifier: Apache-2.0
#ifndef GRPC_CXL_EVENT_ENGINE_LOCAL_SERVER_H_
#define GRPC_CXL_EVENT_ENGINE_LOCAL_SERVER_H_

#include <grpc/event_engine/event_engine.h>

#include <optional>
#include <string>

#include "absl/status/status.h"
#include "grpc_cxl/event_engine/settings.h"
#include "grpc_cxl/rendezvous/address_owner.h"
#include "grpc_cxl/rendezvous/service_name.h"
#include "grpc_cxl/rendezvous/tcp_address.h"

namespace grpc_cxl::internal {

// A server of this host that has registered a network address, or says that it is known as a host.
struct LocalServer {
  ServiceName name;
  std::optional<TcpAddress> address;  // nullopt: known as the host
  AddressEntry entry = AddressEntry::kExact;

  // Whether the process at the other end of `socket`, which the name led to, may answer. For an
  // address, errors are those of CheckAnswersFor(). A host has no owner that the kernel could name:
  // the server must be of our own user or root, of `trusted_uids`, or prove to know our secret,
  // else PERMISSION_DENIED.
  absl::Status Check(int socket, const TrustedUsers& users) const;
};

// The server that has registered `address`, unless there is none in the calling thread's network
// namespace; else the one that is known as `host`, the host and port of the channel's target
// (empty: none). May be dead, or a liar: see Check(). A few system calls; makes no directory.
std::optional<LocalServer> FindLocalServer(
    const grpc_event_engine::experimental::EventEngine::ResolvedAddress& address,
    const std::string& host, const EndpointSettings& settings);

}  // namespace grpc_cxl::internal

#endif  // GRPC_CXL_EVENT_ENGINE_LOCAL_SERVER_H_
