// SPDX-License-Identifier: Apache-2.0
#ifndef GRPC_CXL_EVENT_ENGINE_CXL_ADDRESS_H_
#define GRPC_CXL_EVENT_ENGINE_CXL_ADDRESS_H_

#include <grpc/event_engine/event_engine.h>

#include <optional>
#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "grpc_cxl/rendezvous/service_name.h"

// How a `cxl:` name travels through gRPC, which knows only socket addresses: as an abstract unix
// address, which gRPC carries around unchanged and prints readably. No such socket is ever made.
namespace grpc_cxl::internal {

using ResolvedAddress = grpc_event_engine::experimental::EventEngine::ResolvedAddress;

// A name as gRPC's resolver and Connect() or Bind() see it.
struct CxlAddress {
  ServiceName name;
  // On a server, which options belong to it (SettingsRegistry); -1 for the defaults.
  int options = -1;
};

// Whether `target`, as LookupHostname() receives it, is ours.
bool IsCxlTarget(absl::string_view target);

// From a target such as "cxl:///payments", on servers also "cxl:///payments?options=3".
absl::StatusOr<CxlAddress> ParseCxlTarget(absl::string_view target);

// To and from the address that stands for it; nullopt for other addresses.
ResolvedAddress EncodeAddress(const CxlAddress& address);
std::optional<CxlAddress> DecodeAddress(const ResolvedAddress& address);

// The address of the other process: what follows "unix-abstract:" in peer() (peer_text.h).
ResolvedAddress PeerAddress(const ServiceName& name, const std::string& peer_identity);

}  // namespace grpc_cxl::internal

#endif  // GRPC_CXL_EVENT_ENGINE_CXL_ADDRESS_H_
