// SPDX-License-Identifier: Apache-2.0
#include "grpc_cxl/channel_credentials.h"

#include <grpc/event_engine/event_engine.h>
#include <grpc/grpc.h>
#include <grpc/grpc_security.h>
#include <grpcpp/create_channel.h>
#include <grpcpp/support/channel_arguments.h>
#include <grpcpp/support/client_interceptor.h>

#include <string>
#include <typeinfo>
#include <utility>
#include <vector>

#include "absl/base/no_destructor.h"
#include "absl/status/statusor.h"
#include "absl/strings/str_replace.h"
#include "grpc_cxl/direct/background_calls.h"
#include "grpc_cxl/direct/call_routes.h"
#include "grpc_cxl/direct/default_priority.h"
#include "grpc_cxl/direct/interceptor.h"
#include "grpc_cxl/engine.h"
#include "grpc_cxl/environment.h"
#include "grpc_cxl/event_engine/channel_target.h"
#include "grpc_cxl/event_engine/cxl_engine.h"
#include "grpc_cxl/event_engine/replica_connections.h"
#include "grpc_cxl/event_engine/settings_registry.h"
#include "grpc_cxl/payload/message_placement.h"
#include "grpc_cxl/payload/pool_directory.h"
#include "grpc_cxl/settings_credentials.h"

namespace grpc_cxl {
namespace {

using grpc_event_engine::experimental::EventEngine;
using grpc_event_engine::experimental::grpc_event_engine_arg_vtable;
using internal::ChannelSettings;
using internal::ChannelTarget;
using internal::SettingsRegistry;

bool Has(const grpc::ChannelArguments& arguments, const char* key) {
  return internal::HasArgument(arguments.c_channel_args(), key);
}

void SetDefault(grpc::ChannelArguments& arguments, const char* key, int value) {
  if (!Has(arguments, key)) arguments.SetInt(key, value);
}

// gRPC has no other way to tell.
bool IsInsecure(const grpc::ChannelCredentials& credentials) {
  static const absl::NoDestructor<std::shared_ptr<grpc::ChannelCredentials>> insecure(
      grpc::InsecureChannelCredentials());
  const grpc::ChannelCredentials& example = **insecure;
  return typeid(credentials) == typeid(example);
}

class CxlChannelCredentials final : public grpc::ChannelCredentials {
 public:
  CxlChannelCredentials(absl::StatusOr<ChannelSettings> settings,
                        std::shared_ptr<grpc::ChannelCredentials> inner)
      : grpc::ChannelCredentials(grpc_insecure_credentials_create()),
        settings_(std::move(settings)),
        number_(SettingsRegistry<ChannelSettings>::Register(settings_)),
        plain_(inner == nullptr || IsInsecure(*inner)),
        inner_(inner == nullptr ? grpc::InsecureChannelCredentials() : std::move(inner)) {}

 private:
  std::shared_ptr<grpc::Channel> CreateChannelImpl(
      const std::string& target, const grpc::ChannelArguments& arguments) override {
    return CreateChannelWithInterceptors(target, arguments, {});
  }

  std::shared_ptr<grpc::Channel> CreateChannelWithInterceptors(
      const std::string& target, const grpc::ChannelArguments& arguments,
      std::vector<std::unique_ptr<grpc::experimental::ClientInterceptorFactoryInterface>>
          interceptors) override {
    const ChannelTarget where = ChannelTarget::Of(target, arguments.c_channel_args());
    // Before direct calls, which go by it, and after the user's, which may set another.
    if (settings_.ok() && settings_->priority != Priority::kDefault) {
      interceptors.push_back(internal::MakeDefaultPriority(settings_->priority));
    }
    AddDirectCalls(target, where, arguments, &interceptors);
    AddPlacement(where, &interceptors);
    return grpc::experimental::CreateCustomChannelWithInterceptors(
        target, inner_, Adapt(where, arguments), std::move(interceptors));
  }

  bool WantsDirectCalls(const ChannelTarget& target) const {
    return settings_.ok() && settings_->direct_calls && !target.calls_key.empty();
  }

  // Direct calls go around gRPC's core, so they would lose what these arguments ask of calls.
  bool DirectCallsFor(const ChannelTarget& target, const grpc::ChannelArguments& arguments) const {
    return WantsDirectCalls(target) && plain_ && !Has(arguments, GRPC_ARG_SERVICE_CONFIG) &&
           !Has(arguments, GRPC_COMPRESSION_CHANNEL_DEFAULT_ALGORITHM) &&
           !Has(arguments, GRPC_ARG_EXPERIMENTAL_STATS_PLUGINS);
  }

  // Last, so that the user's own interceptors see every call.
  void AddDirectCalls(
      const std::string& uri, const ChannelTarget& target, const grpc::ChannelArguments& arguments,
      std::vector<std::unique_ptr<grpc::experimental::ClientInterceptorFactoryInterface>>*
          interceptors) const {
    if (!WantsDirectCalls(target)) return;
    if (!DirectCallsFor(target, arguments)) {
      interceptors->push_back(internal::CountExcludedCalls());
      return;
    }
    grpc::ChannelArguments with_authority = arguments;
    if (!target.is_name && !Has(arguments, GRPC_ARG_DEFAULT_AUTHORITY)) {
      with_authority.SetString(GRPC_ARG_DEFAULT_AUTHORITY, target.authority);
    }
    auto background = std::make_shared<internal::BackgroundCalls>(
        [uri, inner = inner_, adapted = Adapt(target, arguments)] {
          return grpc::CreateCustomChannel(uri, inner, adapted);
        });
    interceptors->push_back(internal::MakeDirectInterceptor(
        internal::CallRoutes::For(target.calls_key, number_), settings_->wait(), with_authority,
        std::move(background), internal::FullTarget(uri), settings_->inline_calls,
        settings_->direct_streams, !interceptors->empty(),
        internal::ReplicaConnections::For(target.calls_key, number_)));
  }

  // After all others, which thus see messages as the application made them.
  void AddPlacement(
      const ChannelTarget& target,
      std::vector<std::unique_ptr<grpc::experimental::ClientInterceptorFactoryInterface>>*
          interceptors) const {
    // TLS would encrypt them into memory of its own.
    if (!plain_ || target.calls_key.empty()) return;
    interceptors->push_back(
        internal::MakeClientPlacement(internal::ClientPoolKey(target.calls_key, number_)));
  }

  // What the user set stands; the rest is set as suits shared memory.
  grpc::ChannelArguments Adapt(const ChannelTarget& target,
                               const grpc::ChannelArguments& arguments) const {
    // An engine of the application's knows nothing of memory.
    if (!target.is_name && Has(arguments, GRPC_ARG_EVENT_ENGINE)) return arguments;
    grpc::ChannelArguments adapted = arguments;
    // Ours, so one of ours.
    std::shared_ptr<EventEngine> engine =
        target.is_name ? static_cast<internal::CxlEngine&>(*Engine()).OfSettings(number_)
                       : Engine();
    adapted.SetPointerWithVtable(GRPC_ARG_EVENT_ENGINE, &engine, grpc_event_engine_arg_vtable());
    adapted.SetInt(internal::kSettingsArg, number_);
    if (DirectCallsFor(target, arguments)) adapted.SetInt(internal::kDirectArg, 1);
    if (!target.is_name) {
      // With other policies each address is a server of its own.
      if (!target.authority.empty()) adapted.SetString(internal::kHostArg, target.authority);
      if (plain_) adapted.SetInt(internal::kPlainArg, 1);
      // Connections with different keys are not shared.
      if (plain_ && !target.calls_key.empty()) {
        adapted.SetString(internal::kCallsKeyArg, target.calls_key);
      }
      // Its connections may be of either kind, so the rest stays gRPC's.
      return adapted;
    }
    // gRPC exempts only "unix:" targets from the proxy that http_proxy names.
    adapted.SetInt(GRPC_ARG_ENABLE_HTTP_PROXY, 0);
    if (plain_ && target.spreads) adapted.SetInt(internal::kSpreadsArg, 1);
    if (target.name.has_value() && !Has(arguments, GRPC_ARG_DEFAULT_AUTHORITY)) {
      // An authority has no path; "shop/payments" is known as "shop.payments".
      adapted.SetString(GRPC_ARG_DEFAULT_AUTHORITY,
                        absl::StrReplaceAll(target.name->str(), {{"/", "."}}));
    }
    // Without a network there is no bandwidth-delay product to probe for. The probe also
    // sets the window and frame sizes, so without it they need values: those that it
    // would start from.
    SetDefault(adapted, GRPC_ARG_HTTP2_BDP_PROBE, 0);
    SetDefault(adapted, GRPC_ARG_HTTP2_MAX_FRAME_SIZE, 4 << 20);
    SetDefault(adapted, GRPC_ARG_HTTP2_STREAM_LOOKAHEAD_BYTES, 4 << 20);
    // A failed attempt costs microseconds here, so a restarted server is found at once.
    SetDefault(adapted, GRPC_ARG_INITIAL_RECONNECT_BACKOFF_MS, 100);
    SetDefault(adapted, GRPC_ARG_MAX_RECONNECT_BACKOFF_MS, 100);
    // So are replicas that have come when one has gone: looking for them costs as little.
    SetDefault(adapted, GRPC_ARG_DNS_MIN_TIME_BETWEEN_RESOLUTIONS_MS, 100);
    return adapted;
  }

  const absl::StatusOr<ChannelSettings> settings_;  // an error is every connection's
  const int number_;
  const bool plain_;
  const std::shared_ptr<grpc::ChannelCredentials> inner_;
};

}  // namespace

namespace internal {

std::shared_ptr<grpc::ChannelCredentials> CredentialsLike(const EndpointSettings& server) {
  absl::StatusOr<ChannelSettings> settings = ResolveOptions(ChannelOptions());
  if (settings.ok()) static_cast<EndpointSettings&>(*settings) = server;
  MakeEngineDefault();
  return std::make_shared<CxlChannelCredentials>(std::move(settings), /*inner=*/nullptr);
}

}  // namespace internal

std::shared_ptr<grpc::ChannelCredentials> ChannelCredentials(
    const ChannelOptions& options, std::shared_ptr<grpc::ChannelCredentials> inner) {
  MakeEngineDefault();
  return std::make_shared<CxlChannelCredentials>(internal::ResolveOptions(options),
                                                 std::move(inner));
}

}  // namespace grpc_cxl
