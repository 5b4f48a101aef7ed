// SPDX-License-Identifier: Apache-2.0
#include "grpc_cxl/serve_back.h"

#include <grpc/impl/channel_arg_names.h>
#include <grpcpp/create_channel.h>

#include <string>

#include "grpc_cxl/direct/dispatcher.h"
#include "grpc_cxl/direct/global_interceptor.h"
#include "grpc_cxl/engine.h"
#include "grpc_cxl/environment.h"
#include "grpc_cxl/event_engine/back_server.h"
#include "grpc_cxl/event_engine/cxl_engine.h"
#include "grpc_cxl/event_engine/numbered.h"
#include "grpc_cxl/event_engine/settings_registry.h"
#include "grpc_cxl/event_engine/way_back.h"
#include "grpc_cxl/payload/peer_metadata.h"
#include "grpc_cxl/rendezvous/peer_text.h"
#include "grpc_cxl/settings_credentials.h"

namespace grpc_cxl {
namespace {

using internal::BackServer;
using internal::WayBack;

// The name that gRPC and error texts know a peer by; nobody looks it up.
constexpr char kTarget[] = "cxl:///peer", kAuthority[] = "peer";

std::shared_ptr<grpc::Channel> MakeChannel(const WayBack& way) {
  grpc::ChannelArguments arguments;
  arguments.SetInt(internal::kWayBackArg, way.number());
  // After its connection has ended it fails for ever: whoever still has it shall not try all the
  // time.
  arguments.SetInt(GRPC_ARG_INITIAL_RECONNECT_BACKOFF_MS, 100);
  arguments.SetInt(GRPC_ARG_MAX_RECONNECT_BACKOFF_MS, 5000);
  return grpc::CreateCustomChannel(kTarget, internal::CredentialsLike(way.settings()), arguments);
}

}  // namespace

absl::Status ServeBack(grpc::Server& server, grpc::ChannelArguments* arguments,
                       const ServerOptions& options) {
  const std::shared_ptr<BackServer> back = BackServer::Of(server.c_server());
  if (back == nullptr) {
    return absl::FailedPreconditionError(
        "the server cannot be called back: build it with grpc_cxl::ServerBuilder, with gRPC's "
        "default event engine or grpc_cxl::Engine(); or it has shut down");
  }
  absl::StatusOr<internal::ServerSettings> settings = internal::ResolveOptions(options);
  if (!settings.ok()) return settings.status();
  MakeEngineDefault();
  const auto& engine = static_cast<const internal::CxlEngine&>(*Engine());
  const absl::Status opened =
      back->Open(engine.executor(), engine.watchdog(), *settings, [&server](const auto& limits) {
        return internal::HasGlobalInterceptor()
                   ? nullptr
                   : std::make_shared<internal::Dispatcher>(
                         server, kAuthority, limits.max_metadata_bytes, limits.max_message_bytes);
      });
  if (!opened.ok()) return opened;
  arguments->SetInt(internal::kServeBackArg, back->number());
  return absl::OkStatus();
}

absl::StatusOr<std::shared_ptr<grpc::Channel>> ChannelToPeer(
    const grpc::ServerContextBase& context) {
  const std::string peer = internal::PeerOf(context);
  if (!internal::ParsePeerText(peer).has_value()) {
    return absl::FailedPreconditionError(
        "there is no way back to the client: its call has not come through the shared memory of "
        "this host (docs/configuration.md, Network addresses, says when it does)");
  }
  const int number = internal::WayBackOf(peer);
  if (number == 0) {
    return absl::FailedPreconditionError(
        "the client serves nothing back: call grpc_cxl::ServeBack() on the arguments of its "
        "channel, with this version of grpc_cxl or a newer one at both ends");
  }
  const std::shared_ptr<WayBack> way = internal::Numbered<WayBack>::Find(number);
  if (way == nullptr) return internal::LifeBond::Reason();
  const auto channel = way->Channel([&way] { return MakeChannel(*way); });
  if (!channel.ok()) return channel.status();
  return std::static_pointer_cast<grpc::Channel>(*channel);
}

}  // namespace grpc_cxl
