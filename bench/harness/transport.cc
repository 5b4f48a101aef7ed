// SPDX-License-Identifier: Apache-2.0
#include "bench/harness/transport.h"

#include <stdlib.h>

#include <algorithm>
#include <cstdint>
#include <optional>
#include <utility>

#include "absl/log/check.h"
#include "absl/status/status.h"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/strip.h"
#include "absl/time/time.h"
#include "grpc_cxl/channel_credentials.h"
#include "grpc_cxl/coherence/memory_model.h"
#include "grpc_cxl/direct_calls.h"
#include "grpc_cxl/payload_placement.h"
#include "grpc_cxl/server_credentials.h"

namespace grpc_cxl::bench {
namespace {

constexpr absl::string_view kTransports[] = {"tcp", "network",    "unix",   "inproc",
                                             "cxl", "cxl_direct", "cxl_own"};
constexpr absl::string_view kWaits[] = {"adaptive", "park", "spin"};

// The N of spin=N.
std::optional<int64_t> SpinMicroseconds(absl::string_view wait) {
  int64_t microseconds;
  if (!absl::ConsumePrefix(&wait, "spin=") || !absl::SimpleAtoi(wait, &microseconds) ||
      microseconds < 0 || microseconds > 1'000'000) {
    return std::nullopt;
  }
  return microseconds;
}

bool Contains(absl::Span<const absl::string_view> names, absl::string_view name) {
  return std::find(names.begin(), names.end(), name) != names.end();
}

bool IsCxl(absl::string_view transport) { return absl::StartsWith(transport, "cxl"); }

// ChannelOptions or ServerOptions for a cxl path.
template <typename Options>
Options CxlOptions(const Path& path) {
  Options options;
  options.rendezvous_directory = path.directory();
  if (path.wait() == "park") options.wait_policy = WaitPolicy::kPark;
  if (path.wait() == "spin") options.wait_policy = WaitPolicy::kSpin;
  if (const auto microseconds = SpinMicroseconds(path.wait())) {
    options.wait_policy = WaitPolicy::kSpin;
    options.max_spin = absl::Microseconds(*microseconds);
  }
  if (!path.cxl_preset().empty()) {
    const absl::StatusOr<MemoryDistance> distance = internal::DistancePreset(path.cxl_preset());
    CHECK_OK(distance);  // OnEachMemory() has checked it
    options.distance = *distance;
  }
  return options;
}

std::shared_ptr<grpc::ChannelCredentials> ChannelCredentials(const Path& path) {
  if (!IsCxl(path.transport()) && path.transport() != "network") {
    return grpc::InsecureChannelCredentials();
  }
  ChannelOptions options = CxlOptions<ChannelOptions>(path);
  options.direct_calls = path.transport() != "cxl";
  options.inline_calls = path.transport() == "cxl_own";
  // Channels with equal options share the connection of their direct calls. A nanosecond makes the
  // options differ and changes nothing else.
  options.max_spin += absl::Nanoseconds(path.connection());
  return grpc_cxl::ChannelCredentials(options);
}

}  // namespace

absl::StatusOr<std::vector<std::string>> Waits(absl::string_view transport,
                                               const std::vector<std::string>& wanted) {
  if (!Contains(kTransports, transport)) {
    return absl::InvalidArgumentError(absl::StrCat("There is no transport '", transport,
                                                   "'; there are ",
                                                   absl::StrJoin(kTransports, ", "), "."));
  }
  for (const std::string& wait : wanted) {
    if (!Contains(kWaits, wait) && !SpinMicroseconds(wait)) {
      return absl::InvalidArgumentError(absl::StrCat("There is no --wait=", wait, "; there are ",
                                                     absl::StrJoin(kWaits, ", "),
                                                     " and spin=MICROSECONDS."));
    }
  }
  if (transport == "inproc") return std::vector<std::string>{"gRPC"};
  if (!IsCxl(transport)) return std::vector<std::string>{"kernel"};
  const char* spin_us = getenv("GRPC_CXL_SPIN_US");
  if (spin_us == nullptr) return wanted;
  if (wanted.size() > 1) {
    return absl::InvalidArgumentError(
        "GRPC_CXL_SPIN_US overrides every --wait: unset it to compare wait policies.");
  }
  return std::vector<std::string>{absl::StrCat("spin_us=", spin_us)};
}

Path MakePath(absl::string_view service, absl::string_view transport, absl::string_view wait,
              absl::string_view directory) {
  Path path;
  path.set_transport(transport);
  path.set_wait(wait);
  path.set_directory(directory);
  if (IsTcp(path)) {
    path.set_address("127.0.0.1:0");
  } else if (transport == "unix" || transport == "inproc") {  // inproc does not use it
    path.set_address(absl::StrCat("unix:", directory, "/socket"));
  } else {
    CHECK(IsCxl(transport)) << transport;
    path.set_address(absl::StrCat("cxl:///", service));
  }
  return path;
}

bool IsTcp(const Path& path) { return path.transport() == "tcp" || path.transport() == "network"; }

bool IsOneProcess(const Path& path) {
  return path.transport() == "inproc" || path.transport() == "cxl_own";
}

std::shared_ptr<grpc::ServerCredentials> ServerCredentials(const Path& path) {
  if (!IsCxl(path.transport())) return grpc::InsecureServerCredentials();
  ServerOptions options = CxlOptions<ServerOptions>(path);
  if (path.cxl_coherence() == "flush") options.coherence = Coherence::kFlush;
  const ArenaSizes& sizes = path.arena();
  if (sizes.has_ring_bytes()) options.ring_bytes = sizes.ring_bytes();
  if (sizes.has_payload_bytes()) options.payload_bytes = sizes.payload_bytes();
  if (sizes.has_max_connections()) options.max_connections = sizes.max_connections();
  return grpc_cxl::ServerCredentials(options);
}

void Configure(const Path& path, grpc::ServerBuilder& builder) {
  if (!IsCxl(path.transport())) return;
  std::vector<std::unique_ptr<grpc::experimental::ServerInterceptorFactoryInterface>> creators;
  creators.push_back(PayloadPlacement());
  builder.experimental().SetInterceptorCreators(std::move(creators));
}

absl::Status Started(const Path& path, grpc::Server& server) {
  if (!IsCxl(path.transport()) || path.transport() == "cxl") return absl::OkStatus();
  return EnableDirectCalls(server);
}

std::shared_ptr<grpc::Channel> MakeChannel(const Path& path) {
  grpc::ChannelArguments arguments;
  arguments.SetMaxReceiveMessageSize(-1);
  arguments.SetMaxSendMessageSize(-1);
  arguments.SetInt(GRPC_ARG_USE_LOCAL_SUBCHANNEL_POOL, 1);
  return grpc::CreateCustomChannel(path.address(), ChannelCredentials(path), arguments);
}

}  // namespace grpc_cxl::bench
