// SPDX-License-Identifier: Apache-2.0
#ifndef GRPC_CXL_EVENT_ENGINE_KEPT_CONFIG_H_
#define GRPC_CXL_EVENT_ENGINE_KEPT_CONFIG_H_

#include <grpc/event_engine/endpoint_config.h>

#include <map>
#include <memory>
#include <optional>
#include <string>

#include "absl/strings/string_view.h"

namespace grpc_cxl::internal {

// What gRPC's own engine reads from the arguments of a channel when it connects, kept beyond the
// call of Connect() that showed them. Immutable.
class KeptConfig final : public grpc_event_engine::experimental::EndpointConfig {
 public:
  using EndpointConfig = grpc_event_engine::experimental::EndpointConfig;

  // False when the channel has an argument that cannot be: one that changes sockets
  // (GRPC_ARG_SOCKET_MUTATOR) or allocates their memory.
  static bool CanBe(const EndpointConfig& config);

  // Null when it cannot be.
  static std::shared_ptr<const KeptConfig> Of(const EndpointConfig& config);

  std::optional<int> GetInt(absl::string_view key) const override;
  std::optional<absl::string_view> GetString(absl::string_view) const override {
    return std::nullopt;
  }
  void* GetVoidPointer(absl::string_view key) const override;

 private:
  KeptConfig() = default;

  std::map<std::string, int, std::less<>> numbers_;
  std::shared_ptr<void> quota_;
};

}  // namespace grpc_cxl::internal

#endif  // GRPC_CXL_EVENT_ENGINE_KEPT_CONFIG_H_
