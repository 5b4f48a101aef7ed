// SPDX-License-Identifier: Apache-2.0
#include "grpc_cxl/event_engine/channel_target.h"

#include <grpc/impl/channel_arg_names.h>

#include <utility>

#include "absl/status/statusor.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "absl/strings/strip.h"

namespace grpc_cxl::internal {
namespace {

const grpc_arg* Find(const grpc_channel_args& arguments, const char* key) {
  for (size_t i = arguments.num_args; i > 0; --i) {  // the last one counts
    if (absl::string_view(key) == arguments.args[i - 1].key) return &arguments.args[i - 1];
  }
  return nullptr;
}

// gRPC's default. Another policy comes from an argument, a service config, or a control plane.
bool PicksFirst(absl::string_view target, const grpc_channel_args& arguments) {
  for (const char* key : {GRPC_ARG_SERVICE_CONFIG, GRPC_ARG_SERVICE_CONFIG_DISABLE_RESOLUTION}) {
    if (Find(arguments, key) != nullptr) return false;
  }
  for (const absl::string_view scheme : {"xds:", "google-c2p"}) {
    if (absl::StartsWithIgnoreCase(target, scheme)) return false;
  }
  const grpc_arg* const policy = Find(arguments, GRPC_ARG_LB_POLICY_NAME);
  return policy == nullptr || (policy->type == GRPC_ARG_STRING &&
                               absl::string_view(policy->value.string) == "pick_first");
}

// Other schemes are part of a host's name to gRPC.
std::string Authority(absl::string_view target) {
  for (const absl::string_view scheme : {"dns:", "ipv4:", "ipv6:"}) {
    if (!absl::ConsumePrefix(&target, scheme)) continue;
    if (absl::ConsumePrefix(&target, "//")) target = target.substr(target.find('/') + 1);
    absl::ConsumePrefix(&target, "/");
    break;
  }
  return std::string(target);
}

}  // namespace

bool HasArgument(const grpc_channel_args& arguments, const char* key) {
  return Find(arguments, key) != nullptr;
}

ChannelTarget ChannelTarget::Of(const std::string& target, const grpc_channel_args& arguments) {
  ChannelTarget result;
  result.is_name = ServiceName::IsTarget(target);
  if (result.is_name) {
    absl::StatusOr<ServiceName> name = ServiceName::FromTarget(target);
    if (!name.ok()) return result;
    result.calls_key = name->str();
    result.name = *std::move(name);
    return result;
  }
  result.authority = Authority(target);
  // No name has a colon.
  if (PicksFirst(target, arguments)) result.calls_key = absl::StrCat("net:", target);
  return result;
}

}  // namespace grpc_cxl::internal
