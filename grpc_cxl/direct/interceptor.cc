// SPDX-License-Identifier: Apache-2.0
#include "grpc_cxl/direct/interceptor.h"

#include <grpc/grpc.h>
#include <grpc/impl/channel_arg_names.h>
#include <grpc/support/port_platform.h>

#include <chrono>
#include <climits>
#include <cstdint>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "grpc_cxl/calls/call_codec.h"
#include "grpc_cxl/direct/call_counters.h"
#include "grpc_cxl/direct/direct_call.h"
#include "grpc_cxl/direct/direct_channel.h"
#include "grpc_cxl/direct/global_interceptor.h"
#include "grpc_cxl/direct/legal_metadata.h"
#include "grpc_cxl/direct/missing_descriptor.h"
#include "grpc_cxl/direct/offer_call.h"
#include "grpc_cxl/direct/one_way_call.h"
#include "grpc_cxl/direct/one_way_mark.h"
#include "grpc_cxl/direct/stream_interceptor.h"
#include "grpc_cxl/payload/message_types.h"

namespace grpc_cxl::internal {
namespace {

using grpc::experimental::ClientInterceptorFactoryInterface;
using grpc::experimental::ClientRpcInfo;
using grpc::experimental::Interceptor;

int IntArgument(const grpc::ChannelArguments& arguments, absl::string_view key, int otherwise) {
  const grpc_channel_args all = arguments.c_channel_args();
  for (size_t i = 0; i < all.num_args; ++i) {
    if (key == all.args[i].key && all.args[i].type == GRPC_ARG_INTEGER) {
      otherwise = all.args[i].value.integer;  // the last entry counts
    }
  }
  return otherwise;
}

std::string TextArgument(const grpc::ChannelArguments& arguments, absl::string_view key) {
  const grpc_channel_args all = arguments.c_channel_args();
  std::string text;
  for (size_t i = 0; i < all.num_args; ++i) {
    if (key == all.args[i].key && all.args[i].type == GRPC_ARG_STRING) {
      text = all.args[i].value.string;  // the last entry counts
    }
  }
  return text;
}

// As gRPC composes it for HTTP/2.
std::string UserAgent(const grpc::ChannelArguments& arguments) {
  std::string agent = TextArgument(arguments, GRPC_ARG_PRIMARY_USER_AGENT_STRING);
  const std::string last = TextArgument(arguments, GRPC_ARG_SECONDARY_USER_AGENT_STRING);
  absl::StrAppend(&agent, agent.empty() ? "" : " ", "grpc-c/", grpc_version_string(), " (",
                  GPR_PLATFORM_STRING, "; chttp2)", last.empty() ? "" : " ", last);
  return IsLegalMetadata(kUserAgentKey, agent) ? agent : "";
}

class Factory final : public ClientInterceptorFactoryInterface {
 public:
  explicit Factory(DirectChannel channel) : channel_(std::move(channel)) {}

  // Null for calls that are certainly not eligible: gRPC then skips this interceptor.
  Interceptor* CreateClientInterceptor(ClientRpcInfo* info) override {
    if (info->type() != ClientRpcInfo::Type::UNARY) {
      return channel_.direct_streams ? MakeStreamInterceptor(channel_, info) : nullptr;
    }
    if (HasGlobalInterceptor()) {
      CallCounters::OfProcess().global_interceptor.Add();
      return nullptr;
    }
    uint32_t under_way = 0;
    std::shared_ptr<const CallRoute> link = channel_.routes->Choose(&under_way);
    const bool may_be_one_way = any_one_way.load(std::memory_order_relaxed);
    if (link == nullptr && !may_be_one_way) {
      CallCounters::OfProcess().no_connection.Add();
      std::shared_ptr<const DirectOffer> offer = channel_.routes->TakeOffer();
      return offer == nullptr ? nullptr : new OfferCall(std::move(offer));
    }
    const MessageTypes* const types = FindMessageTypes(info->method());
    if (types == nullptr) {
      WarnOfMissingDescriptor(info->method());
      CallCounters::OfProcess().no_descriptor.Add();
      return nullptr;
    }
    if (may_be_one_way) return MakeOneWay(std::move(link), under_way, *types, info);
    return new DirectCall(channel_, std::move(link), under_way, *types, info);
  }

 private:
  Interceptor* MakeOneWay(std::shared_ptr<const CallRoute> link, uint32_t under_way,
                          const MessageTypes& types, ClientRpcInfo* info) {
    std::unique_ptr<Interceptor> otherwise;
    if (link != nullptr) {
      otherwise = std::make_unique<DirectCall>(channel_, link, under_way, types, info);
    }
    return new OneWayCall(channel_, std::move(link), types, info, std::move(otherwise));
  }

  const DirectChannel channel_;
};

class ExcludedFactory final : public ClientInterceptorFactoryInterface {
 public:
  Interceptor* CreateClientInterceptor(ClientRpcInfo* info) override {
    if (info->type() == ClientRpcInfo::Type::UNARY) {
      CallCounters::OfProcess().excluded_channel.Add();
    }
    return nullptr;
  }
};

}  // namespace

std::unique_ptr<ClientInterceptorFactoryInterface> CountExcludedCalls() {
  return std::make_unique<ExcludedFactory>();
}

std::unique_ptr<ClientInterceptorFactoryInterface> MakeDirectInterceptor(
    std::shared_ptr<CallRoutes> routes, const WaitTerms& wait,
    const grpc::ChannelArguments& arguments, std::shared_ptr<BackgroundCalls> background,
    std::string target, bool inline_calls, bool direct_streams, bool has_interceptors,
    std::shared_ptr<void> companion) {
  DirectChannel channel{std::move(routes), wait};
  channel.max_send_bytes = IntArgument(arguments, GRPC_ARG_MAX_SEND_MESSAGE_LENGTH, -1);
  channel.max_receive_bytes = IntArgument(arguments, GRPC_ARG_MAX_RECEIVE_MESSAGE_LENGTH, 4 << 20);
  channel.max_metadata_bytes =
      MetadataLimit(IntArgument(arguments, GRPC_ARG_MAX_METADATA_SIZE, -1),
                    IntArgument(arguments, GRPC_ARG_ABSOLUTE_MAX_METADATA_SIZE, -1));
  channel.user_agent = UserAgent(arguments);
  channel.authority = TextArgument(arguments, GRPC_ARG_DEFAULT_AUTHORITY);
  // gRPC's defaults: no keepalive; 20 s.
  const int keepalive_ms = IntArgument(arguments, GRPC_ARG_KEEPALIVE_TIME_MS, INT_MAX);
  if (keepalive_ms > 0 && keepalive_ms != INT_MAX) {
    channel.keepalive_time = std::chrono::milliseconds(keepalive_ms);
    channel.keepalive_timeout =
        std::chrono::milliseconds(IntArgument(arguments, GRPC_ARG_KEEPALIVE_TIMEOUT_MS, 20'000));
  }
  channel.background = std::move(background);
  channel.inline_calls = inline_calls;
  channel.direct_streams = direct_streams;
  channel.has_interceptors = has_interceptors;
  channel.companion = std::move(companion);
  channel.target = std::move(target);
  return std::make_unique<Factory>(std::move(channel));
}

}  // namespace grpc_cxl::internal
