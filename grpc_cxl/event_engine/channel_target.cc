// SPDX-License-Identifier: Apache-2.0
#include "grpc_cxl/event_engine/channel_target.h"

#include <arpa/inet.h>
#include <grpc/impl/channel_arg_names.h>

#include <algorithm>
#include <atomic>
#include <cstdint>
#include <initializer_list>
#include <utility>

#include "absl/status/statusor.h"
#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "absl/strings/string_view.h"
#include "absl/strings/strip.h"
#include "grpc_cxl/event_engine/settings_registry.h"

namespace grpc_cxl::internal {
namespace {

const grpc_arg* Find(const grpc_channel_args& arguments, const char* key) {
  for (size_t i = arguments.num_args; i > 0; --i) {  // the last one counts
    if (absl::string_view(key) == arguments.args[i - 1].key) return &arguments.args[i - 1];
  }
  return nullptr;
}

bool HasAny(const grpc_channel_args& arguments, std::initializer_list<const char*> keys) {
  return std::any_of(keys.begin(), keys.end(),
                     [&](const char* key) { return Find(arguments, key) != nullptr; });
}

std::optional<int> IntArgument(const grpc_channel_args& arguments, const char* key) {
  const grpc_arg* const argument = Find(arguments, key);
  if (argument == nullptr || argument->type != GRPC_ARG_INTEGER) return std::nullopt;
  return argument->value.integer;
}

// gRPC's default. Another policy comes from an argument, a service config, or a control plane.
bool PicksFirst(const grpc_channel_args& arguments) {
  if (HasAny(arguments, {GRPC_ARG_SERVICE_CONFIG, GRPC_ARG_SERVICE_CONFIG_DISABLE_RESOLUTION})) {
    return false;
  }
  const grpc_arg* const policy = Find(arguments, GRPC_ARG_LB_POLICY_NAME);
  return policy == nullptr || (policy->type == GRPC_ARG_STRING &&
                               absl::string_view(policy->value.string) == "pick_first");
}

// Whether a policy is named that may spread calls over several connections. A service config alone,
// for retries say, names none.
bool NamesOtherPolicy(const grpc_channel_args& arguments) {
  const grpc_arg* const policy = Find(arguments, GRPC_ARG_LB_POLICY_NAME);
  const grpc_arg* const config = Find(arguments, GRPC_ARG_SERVICE_CONFIG);
  return (policy != nullptr && policy->type == GRPC_ARG_STRING &&
          absl::string_view(policy->value.string) != "pick_first") ||
         (config != nullptr && config->type == GRPC_ARG_STRING &&
          absl::StrContains(config->value.string, "loadBalancing"));
}

// These arguments decide how a channel connects; a connection of another channel knows nothing of
// them.
bool ConnectsItsOwnWay(const grpc_channel_args& arguments) {
  return HasAny(arguments, {GRPC_ARG_EVENT_ENGINE, GRPC_ARG_SOCKET_MUTATOR, GRPC_ARG_HTTP_PROXY,
                            GRPC_ARG_ADDRESS_HTTP_PROXY, GRPC_ARG_ENABLE_HTTP_PROXY});
}

bool IsPlain(char c) {
  return absl::ascii_isalnum(static_cast<unsigned char>(c)) ||
         absl::StrContains("-._~:,[]/", absl::string_view(&c, 1));
}

// Nullopt for targets about which gRPC and we might disagree.
std::optional<std::string> Authority(absl::string_view target) {
  if (!std::all_of(target.begin(), target.end(), IsPlain)) return std::nullopt;
  for (const absl::string_view scheme : {"dns:", "ipv4:", "ipv6:", "unix:"}) {
    if (!absl::ConsumePrefix(&target, scheme)) continue;
    if (absl::ConsumePrefix(&target, "//")) {
      const size_t slash = target.find('/');
      if (slash == absl::string_view::npos) return std::nullopt;
      target.remove_prefix(slash);
    }
    absl::ConsumePrefix(&target, "/");
    return absl::StrReplaceAll(target, {{"/", "%2F"}});
  }
  // gRPC puts "dns:///" before a host and port, which look like a scheme and a path.
  const size_t colon = target.rfind(':');
  const absl::string_view port = colon == absl::string_view::npos ? "" : target.substr(colon + 1);
  const std::string host = absl::AsciiStrToLower(target.substr(0, colon));
  for (const absl::string_view scheme : {"dns", "ipv4", "ipv6", "unix", "vsock", "xds"}) {
    if (host == scheme) return std::nullopt;
  }
  if (!std::all_of(port.begin(), port.end(), absl::ascii_isdigit) || absl::StrContains(host, '/') ||
      (absl::StrContains(host, ':') && !absl::StartsWith(host, "["))) {
    return std::nullopt;
  }
  return std::string(target);
}

bool IsOneAddress(absl::string_view target, const std::string& authority) {
  if (absl::StartsWith(target, "unix:")) return true;
  std::string host = authority.substr(0, authority.rfind(':'));
  in6_addr ip;
  if (host.size() < 2 || host.front() != '[' || host.back() != ']') {
    return inet_pton(AF_INET, host.c_str(), &ip) == 1;
  }
  host = host.substr(1, host.size() - 2);
  return inet_pton(AF_INET6, host.c_str(), &ip) == 1;
}

}  // namespace

bool HasArgument(const grpc_channel_args& arguments, const char* key) {
  return Find(arguments, key) != nullptr;
}

ChannelTarget ChannelTarget::Of(const std::string& target, const grpc_channel_args& arguments) {
  ChannelTarget result;
  result.is_name = ServiceName::IsTarget(target);
  result.picks_first = PicksFirst(arguments);
  result.spreads = NamesOtherPolicy(arguments);
  const int serve_back = IntArgument(arguments, kServeBackArg).value_or(0);
  if (result.is_name) {
    absl::StatusOr<ServiceName> name = ServiceName::FromTarget(target);
    if (!name.ok()) return result;
    const std::optional<int> way_back = IntArgument(arguments, kWayBackArg);
    result.calls_key =
        way_back.has_value() ? WayBackKey(*way_back) : WithServeBack(name->str(), serve_back);
    result.name = *std::move(name);
    return result;
  }
  std::optional<std::string> authority = Authority(target);
  if (!authority.has_value() || !result.picks_first) return result;
  result.authority = *std::move(authority);
  if (ConnectsItsOwnWay(arguments)) return result;
  result.calls_key = WithServeBack(absl::StrCat("net:", target), serve_back);  // no name: a colon
  if (IsOneAddress(target, result.authority)) return result;
  // Of several addresses, another channel may have picked another one.
  static std::atomic<uint64_t> channels{0};  // only counted
  absl::StrAppend(&result.calls_key, "#", channels.fetch_add(1, std::memory_order_relaxed));
  return result;
}

std::string WithServeBack(const std::string& calls_key, int serve_back) {
  return serve_back == 0 ? calls_key : absl::StrCat(calls_key, "#back", serve_back);
}

std::string WayBackKey(int way_back) { return absl::StrCat("back:", way_back); }

std::string FullTarget(const std::string& target) {
  for (const absl::string_view scheme :
       {"dns:", "ipv4:", "ipv6:", "unix:", "unix-abstract:", "vsock:", "xds:"}) {
    if (absl::StartsWith(target, scheme)) return target;
  }
  return absl::StrCat("dns:///", target);
}

}  // namespace grpc_cxl::internal
