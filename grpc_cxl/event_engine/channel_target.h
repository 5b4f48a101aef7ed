// SPDX-License-Identifier: Apache-2.0
#ifndef GRPC_CXL_EVENT_ENGINE_CHANNEL_TARGET_H_
#define GRPC_CXL_EVENT_ENGINE_CHANNEL_TARGET_H_

#include <grpc/grpc.h>

#include <optional>
#include <string>

#include "grpc_cxl/rendezvous/service_name.h"

namespace grpc_cxl::internal {

bool HasArgument(const grpc_channel_args& arguments, const char* key);

// What a channel's target means to us. A plain value.
struct ChannelTarget {
  static ChannelTarget Of(const std::string& target, const grpc_channel_args& arguments);

  bool is_name = false;             // "cxl:..."
  std::optional<ServiceName> name;  // of a valid one
  bool picks_first = true;          // gRPC's default policy, and nothing may change that
  bool spreads = false;             // another policy is named

  // Under which calls find their connection without asking gRPC (call_routes.h, pool_directory.h);
  // empty: they must not. Only where all calls of all channels with the key go to one server at a
  // time, whichever connection is taken: to a name; to an address; or, with a key of the channel's
  // own, to that address of several that its pick_first has chosen. With any other policy the next
  // call may be another server's.
  std::string calls_key;

  // As gRPC makes it of the target, for a network target with gRPC's default policy; may be empty.
  std::string authority;
};

// Connections of channels that serve back (kServeBackArg) are their own: calls_key with the number
// of the server; 0: none.
std::string WithServeBack(const std::string& calls_key, int serve_back);
// The calls_key of a channel with kWayBackArg.
std::string WayBackKey(int way_back);

// A target as gRPC writes it in full: "dns:///" comes before those whose scheme it does not know.
std::string FullTarget(const std::string& target);

}  // namespace grpc_cxl::internal

#endif  // GRPC_CXL_EVENT_ENGINE_CHANNEL_TARGET_H_
