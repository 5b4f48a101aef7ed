// SPDX-License-Identifier: Apache-2.0
#ifndef GRPC_CXL_EVENT_ENGINE_LOCAL_SERVER_H_
#define GRPC_CXL_EVENT_ENGINE_LOCAL_SERVER_H_

#include <grpc/event_engine/event_engine.h>

#include <optional>

#include "absl/status/status.h"
#include "grpc_cxl/event_engine/settings.h"
#include "grpc_cxl/rendezvous/address_owner.h"
#include "grpc_cxl/rendezvous/service_name.h"
#include "grpc_cxl/rendezvous/tcp_address.h"

namespace grpc_cxl::internal {

// A server of this host that has registered a network address.
struct LocalServer {
  ServiceName name;
  TcpAddress address;
  AddressEntry entry;

  // Whether the process at the other end of `socket`, which the name led to, may answer for the
  // address. Errors are those of CheckAnswersFor().
  absl::Status Check(int socket) const;
};

// The server that has registered `address`, unless there is none in the calling thread's network
// namespace. May be dead, or a liar: see Check(). A few system calls; makes no directory.
std::optional<LocalServer> FindLocalServer(
    const grpc_event_engine::experimental::EventEngine::ResolvedAddress& address,
    const EndpointSettings& settings);

}  // namespace grpc_cxl::internal

#endif  // GRPC_CXL_EVENT_ENGINE_LOCAL_SERVER_H_
