// SPDX-License-Identifier: Apache-2.0
#include "grpc_cxl/event_engine/kept_config.h"

#include <grpc/grpc.h>
#include <grpc/impl/channel_arg_names.h>

namespace grpc_cxl::internal {
namespace {

constexpr const char* kNumbers[] = {
    GRPC_ARG_TCP_READ_CHUNK_SIZE,
    GRPC_ARG_TCP_MIN_READ_CHUNK_SIZE,
    GRPC_ARG_TCP_MAX_READ_CHUNK_SIZE,
    GRPC_ARG_TCP_TX_ZEROCOPY_ENABLED,
    GRPC_ARG_TCP_TX_ZEROCOPY_SEND_BYTES_THRESHOLD,
    GRPC_ARG_TCP_TX_ZEROCOPY_MAX_SIMULT_SENDS,
    GRPC_ARG_TCP_RECEIVE_BUFFER_SIZE,
    GRPC_ARG_KEEPALIVE_TIME_MS,
    GRPC_ARG_KEEPALIVE_TIMEOUT_MS,
    GRPC_ARG_EXPAND_WILDCARD_ADDRS,
    GRPC_ARG_ALLOW_REUSEPORT,
    GRPC_ARG_DSCP,
};

}  // namespace

bool KeptConfig::CanBe(const EndpointConfig& config) {
  return config.GetVoidPointer(GRPC_ARG_SOCKET_MUTATOR) == nullptr &&
         config.GetVoidPointer(GRPC_ARG_EVENT_ENGINE_USE_MEMORY_ALLOCATOR_FACTORY) == nullptr;
}

std::shared_ptr<const KeptConfig> KeptConfig::Of(const EndpointConfig& config) {
  if (!CanBe(config)) return nullptr;
  std::shared_ptr<KeptConfig> kept(new KeptConfig);
  for (const char* key : kNumbers) {
    if (const std::optional<int> number = config.GetInt(key)) kept->numbers_[key] = *number;
  }
  if (void* const quota = config.GetVoidPointer(GRPC_ARG_RESOURCE_QUOTA)) {
    const grpc_arg_pointer_vtable* const vtable = grpc_resource_quota_arg_vtable();
    kept->quota_ = std::shared_ptr<void>(vtable->copy(quota), vtable->destroy);
  }
  return kept;
}

std::optional<int> KeptConfig::GetInt(absl::string_view key) const {
  const auto found = numbers_.find(key);
  return found == numbers_.end() ? std::nullopt : std::optional<int>(found->second);
}

void* KeptConfig::GetVoidPointer(absl::string_view key) const {
  return key == GRPC_ARG_RESOURCE_QUOTA ? quota_.get() : nullptr;
}

}  // namespace grpc_cxl::internal
