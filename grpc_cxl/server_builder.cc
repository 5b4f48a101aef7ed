// SPDX-License-Identifier: Apache-2.0
#include "grpc_cxl/server_builder.h"

#include <grpc/impl/channel_arg_names.h>

#include <algorithm>
#include <climits>
#include <string>
#include <utility>

#include "absl/log/log.h"
#include "absl/status/status.h"
#include "grpc_cxl/direct/offer_answer.h"
#include "grpc_cxl/direct/place_holders.h"
#include "grpc_cxl/direct_calls.h"
#include "grpc_cxl/event_engine/acceptor.h"
#include "grpc_cxl/event_engine/acceptor_registry.h"
#include "grpc_cxl/event_engine/channel_target.h"
#include "grpc_cxl/event_engine/settings.h"
#include "grpc_cxl/payload_placement.h"
#include "grpc_cxl/rendezvous/service_name.h"

namespace grpc_cxl {

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
  const std::vector<Port> addresses = ports();
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
  std::unique_ptr<grpc::Server> server = grpc::ServerBuilder::BuildAndStart();
  if (server == nullptr) return server;
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
