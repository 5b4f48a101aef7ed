// SPDX-License-Identifier: Apache-2.0
#ifndef GRPC_CXL_EVENT_ENGINE_SETTINGS_H_
#define GRPC_CXL_EVENT_ENGINE_SETTINGS_H_

#include <cstddef>
#include <optional>
#include <string>
#include <vector>

#include "absl/time/time.h"
#include "grpc_cxl/arena_backing.h"
#include "grpc_cxl/doorbell/spin_budget.h"
#include "grpc_cxl/memory_distance.h"
#include "grpc_cxl/priority_level.h"
#include "grpc_cxl/region/region.h"
#include "grpc_cxl/rendezvous/rendezvous_directory.h"
#include "grpc_cxl/rendezvous/replica_name.h"
#include "grpc_cxl/rendezvous/service_name.h"
#include "grpc_cxl/rendezvous/trusted_users.h"
#include "grpc_cxl/wait_policy.h"

namespace grpc_cxl::internal {

// The user's options, checked, with the environment applied (grpc_cxl/environment.h). Fields and
// units are those of grpc_cxl/options.h.
//
// All that channels and servers both have is here, so that a server's own channels, for calls back,
// have it (grpc_cxl/settings_credentials.h).
struct EndpointSettings {
  DirectoryCandidates directory;
  std::optional<RegionOptions> region;  // instead of the directory
  TrustedUsers users;
  WaitPolicy wait_policy = WaitPolicy::kAdaptive;
  absl::Duration max_spin;
  double latency_weight = 0;
  absl::Duration idle_spin;
  MemoryDistance distance;
  bool check_flushes = false;  // for tests: see Checker
  bool status_page = false;
  bool log_connections = false;
  bool direct_calls = false;
  bool direct_streams = false;

  WaitTerms wait() const { return {wait_policy, max_spin, latency_weight, idle_spin}; }
  friend bool operator==(const EndpointSettings&, const EndpointSettings&) = default;
};

struct ChannelSettings : EndpointSettings {
  bool inline_calls = false;
  Priority priority = Priority::kDefault;  // with another, connections are a channel's own
  size_t max_arena_bytes = 0;
  size_t max_waiting_calls = 0;

  friend bool operator==(const ChannelSettings&, const ChannelSettings&) = default;
};

struct ServerSettings : EndpointSettings {
  bool take_over = false;
  bool replicas = false;
  std::vector<std::string> also_known_as;
  std::vector<std::string> process_known_as;  // only for the address with the same port
  size_t ring_bytes = 0;
  size_t payload_bytes = 0;
  size_t arena_bytes = 0;
  size_t call_buffer_bytes = 0;
  size_t max_connections = 0;
  size_t max_total_arena_bytes = 0;
  size_t capacity = 0;
  bool adaptive_capacity = false;
  ArenaBacking backing;
  Coherence coherence = Coherence::kCoherent;

  friend bool operator==(const ServerSettings&, const ServerSettings&) = default;
};

// Server credentials of ours, for those who have gRPC's type.
class HasServerSettings {
 public:
  virtual ~HasServerSettings() = default;
  // Null: the options are wrong.
  virtual const ServerSettings* server_settings() const = 0;
};

// Whether a server of this name is one of its replicas.
inline bool HasReplicas(const ServiceName& name, const ServerSettings& settings) {
  return settings.replicas && MayHaveReplicas(name);
}

}  // namespace grpc_cxl::internal

#endif  // GRPC_CXL_EVENT_ENGINE_SETTINGS_H_
