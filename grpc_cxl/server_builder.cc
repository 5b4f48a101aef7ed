// SPDX-License-Identifier: Apache-2.0
#include "grpc_cxl/server_builder.h"

#include <grpc/grpc.h>
#include <grpc/grpc_security.h>
#include <grpc/impl/channel_arg_names.h>
#include <grpcpp/security/server_credentials.h>

#include <algorithm>
#include <climits>
#include <optional>
#include <string>
#include <utility>

#include "absl/log/log.h"
#include "absl/status/status.h"
#include "grpc_cxl/direct/offer_answer.h"
#include "grpc_cxl/direct/place_holders.h"
#include "grpc_cxl/direct_calls.h"
#include "grpc_cxl/engine.h"
#include "grpc_cxl/event_engine/acceptor.h"
#include "grpc_cxl/event_engine/acceptor_registry.h"
#include "grpc_cxl/event_engine/back_server.h"
#include "grpc_cxl/event_engine/channel_target.h"
#include "grpc_cxl/event_engine/default_engine.h"
#include "grpc_cxl/event_engine/settings.h"
#include "grpc_cxl/payload_placement.h"
#include "grpc_cxl/rendezvous/service_name.h"

namespace grpc_cxl {

namespace {

// Of the address at which a BackServer is: without one, the server has none, and serves.
class BackCredentials final : public grpc::ServerCredentials {
 public:
  BackCredentials() : grpc::ServerCredentials(grpc_insecure_server_credentials_create()) {}
  void SetAuthMetadataProcessor(const std::shared_ptr<grpc::AuthMetadataProcessor>&) override {}

 private:
  int AddPortToServer(const std::string& address, grpc_server* server) override {
    const internal::CxlListening listening(std::nullopt);
    grpc_server_add_http2_port(server, address.c_str(), c_creds());
    return 1;
  }
};

}  // namespace

ServerBuilder::ServerBuilder() : answers_(std::make_shared<internal::OfferAnswers>()) {
  experimental().SetInterceptorCreators({});
}

void ServerBuilder::experimental_type::SetInterceptorCreators(
    std::vector<std::unique_ptr<grpc::experimental::ServerInterceptorFactoryInterface>>
        interceptor_creators) {
  interceptor_creators.push_back(PayloadPlacement());
  interceptor_creators.push_back(internal::MakeOfferAnswers(builder_->answers_));
  interceptor_creators.push_back(internal::MakePlaceHolders());
  grpc::ServerBuilder::experimental_type::SetInterceptorCreators(std::move(interceptor_creators));
}

grpc::ChannelArguments ServerBuilder::BuildChannelArgs() {
  grpc::ChannelArguments arguments = grpc::ServerBuilder::BuildChannelArgs();
  std::vector<Port> addresses = ports();
  std::erase_if(addresses,
                [](const Port& port) { return internal::BackServer::IsAddress(port.addr); });
  size_t capacity = 0;
  for (const Port& port : addresses) {
    const auto* const ours = dynamic_cast<const internal::HasServerSettings*>(port.creds.get());
    const auto* const settings = ours == nullptr ? nullptr : ours->server_settings();
    if (settings == nullptr || settings->capacity == 0) continue;
    capacity = capacity == 0 ? settings->capacity : std::min(capacity, settings->capacity);
  }
  if (capacity > 0 &&
      !internal::HasArgument(arguments.c_channel_args(), GRPC_ARG_MAX_CONCURRENT_STREAMS)) {
    arguments.SetInt(GRPC_ARG_MAX_CONCURRENT_STREAMS, static_cast<int>(capacity));
    arguments.SetInt(internal::kCapacityArg, static_cast<int>(capacity));
  }
  // Without ports, its connections may come from file descriptors.
  if (addresses.empty() || !std::all_of(addresses.begin(), addresses.end(), [](const Port& port) {
        return internal::ServiceName::IsTarget(port.addr);
      })) {
    return arguments;
  }
  const auto set_default = [&arguments](const char* key, int value) {
    if (internal::HasArgument(arguments.c_channel_args(), key)) return;
    arguments.SetInt(key, value);
  };
  set_default(GRPC_ARG_KEEPALIVE_TIME_MS, INT_MAX);
  // As for channels (channel_credentials.cc).
  set_default(GRPC_ARG_HTTP2_BDP_PROBE, 0);
  set_default(GRPC_ARG_HTTP2_MAX_FRAME_SIZE, 4 << 20);
  set_default(GRPC_ARG_HTTP2_STREAM_LOOKAHEAD_BYTES, 4 << 20);
  return arguments;
}

std::unique_ptr<grpc::Server> ServerBuilder::BuildAndStart() {
  MakeEngineDefault();  // credentials of an address have done so, but maybe there is none
  // The server's listener keeps it, and this builder nothing of the server.
  const std::shared_ptr<internal::BackServer> back = internal::BackServer::Make();
  AddListeningPort(back->address(), std::make_shared<BackCredentials>());
  std::unique_ptr<grpc::Server> server = grpc::ServerBuilder::BuildAndStart();
  if (server == nullptr) return server;
  back->Built(server->c_server());
  if (const auto capacity = internal::FindCapacity(server->c_server())) {
    capacity->calls->SetHandlersHold();
  }
  const absl::Status enabled = EnableDirectCalls(*server);
  // NOT_FOUND: no address can have them, or the options say no.
  if (!enabled.ok() && !absl::IsNotFound(enabled)) LOG(WARNING) << enabled.message();
  if (enabled.ok()) {
    answers_->Set([key = server->c_server()](const std::string& offer) {
      for (const auto& acceptor : internal::FindAcceptors(key)) {
        std::string name = acceptor->Offer(offer);
        if (!name.empty()) return name;
      }
      return std::string();
    });
  }
  return server;
}

}  // namespace grpc_cxl
