// SPDX-License-Identifier: Apache-2.0
#include "grpc_cxl/event_engine/servers_of_name.h"

#include <algorithm>
#include <random>

#include "absl/status/statusor.h"
#include "grpc_cxl/rendezvous/dial.h"
#include "grpc_cxl/rendezvous/rendezvous_directory.h"
#include "grpc_cxl/rendezvous/replica_name.h"

namespace grpc_cxl::internal {

std::vector<ServiceName> ServersOf(const ServiceName& name, const EndpointSettings& settings) {
  if (settings.region.has_value() || !MayHaveReplicas(name)) return {name};
  const absl::StatusOr<RendezvousDirectory> directory =
      RendezvousDirectory::Find(settings.directory);
  if (!directory.ok()) return {name};
  std::vector<ServiceName> servers = FindReplicas(*directory, name);
  if (servers.empty()) return {name};
  thread_local std::minstd_rand random(std::random_device{}());
  std::shuffle(servers.begin(), servers.end(), random);
  // What replicas left may lie beside a plain server, and a stranger's socket beside replicas.
  if (IsRegistered(*directory, name)) servers.push_back(name);
  return servers;
}

}  // namespace grpc_cxl::internal
