// SPDX-License-Identifier: Apache-2.0
#ifndef GRPC_CXL_RENDEZVOUS_REPLICA_NAME_H_
#define GRPC_CXL_RENDEZVOUS_REPLICA_NAME_H_

#include <optional>
#include <vector>

#include "absl/strings/string_view.h"
#include "grpc_cxl/rendezvous/rendezvous_directory.h"
#include "grpc_cxl/rendezvous/service_name.h"

namespace grpc_cxl::internal {

// Several servers of one name are its replicas, each with a number and a name of its own
// (docs/protocol.md, 2.9): "search=0", "search=1". No target can have such a name.
inline constexpr int kMostReplicas = 100;

// Whether a name is a service's, or that of a TCP address or of a host (tcp_address.h,
// host_name.h). The file of a unix socket leads to one server, and so does an offered name.
bool MayHaveReplicas(const ServiceName& name);

ServiceName ReplicaName(const ServiceName& service, int number);

// Nullopt for a name of another kind.
std::optional<ServiceName> ParseReplicaName(absl::string_view text);
inline bool IsReplicaName(const ServiceName& name) {
  return ParseReplicaName(name.str()).has_value();
}

// That of which a replica's name is one; any other name itself.
ServiceName ServiceOf(const ServiceName& name);

// The replicas that have sockets in the directory. They may be dead, or liars. One system call
// where the name has no server at all, else one for each number: the directory, which may be large,
// is not read.
std::vector<ServiceName> FindReplicas(const RendezvousDirectory& directory,
                                      const ServiceName& service);

}  // namespace grpc_cxl::internal

#endif  // GRPC_CXL_RENDEZVOUS_REPLICA_NAME_H_
