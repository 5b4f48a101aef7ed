// SPDX-License-Identifier: Apache-2.0
#ifndef GRPC_CXL_EVENT_ENGINE_CXL_ADDRESS_H_
#define GRPC_CXL_EVENT_ENGINE_CXL_ADDRESS_H_

#include <grpc/event_engine/event_engine.h>

#include <optional>
#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "grpc_cxl/rendezvous/service_name.h"

// gRPC carries only socket addresses, so a `cxl:` name travels as an abstract unix address: gRPC
// passes it on unchanged and prints it readably. No socket is ever bound to it.
namespace grpc_cxl::internal {

using ResolvedAddress = grpc_event_engine::experimental::EventEngine::ResolvedAddress;

// A name as gRPC's resolver and Connect() or Bind() see it; on a client maybe a replica's.
struct CxlAddress {
  ServiceName name;
  // On a server: the number of the address's settings (SettingsRegistry); -1 for the defaults.
  int options = -1;
};

// Parses a target: "cxl:///payments", on servers also "cxl:///payments?options=3".
absl::StatusOr<CxlAddress> ParseCxlTarget(absl::string_view target);

// To and from the abstract unix address; nullopt for any other address.
ResolvedAddress EncodeAddress(const CxlAddress& address);
std::optional<CxlAddress> DecodeAddress(const ResolvedAddress& address);

// The path of a unix socket's address that has one; empty for any other address.
absl::string_view UnixPath(const ResolvedAddress& address);

// The local address of a connection to a name. Neither end has one, so it is the name itself, or
// the network address that the name stands for: gRPC's local credentials look at it.
ResolvedAddress LocalAddress(const ServiceName& name);

// The peer's address, shown by peer() after "unix-abstract:" (peer_text.h).
ResolvedAddress PeerAddress(const ServiceName& name, const std::string& peer_identity);

}  // namespace grpc_cxl::internal

#endif  // GRPC_CXL_EVENT_ENGINE_CXL_ADDRESS_H_
