// SPDX-License-Identifier: Apache-2.0
#ifndef GRPC_CXL_DIRECT_DIRECT_CHANNEL_H_
#define GRPC_CXL_DIRECT_DIRECT_CHANNEL_H_

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>

#include "grpc_cxl/direct/background_calls.h"
#include "grpc_cxl/direct/call_routes.h"
#include "grpc_cxl/direct/metadata_limit.h"
#include "grpc_cxl/doorbell/spin_budget.h"

namespace grpc_cxl::internal {

// What all direct calls of a channel share. A plain value.
struct DirectChannel {
  std::shared_ptr<CallRoutes> routes;
  WaitTerms wait;
  // What handlers see as "user-agent", and as the authority; empty: the server's default.
  std::string user_agent = {};
  std::string authority = {};
  std::string target = {};  // the channel's, as gRPC writes it in full
  // Of messages; -1: no limit.
  int64_t max_send_bytes = -1;
  int64_t max_receive_bytes = -1;
  // Of a response's initial metadata, and of its trailing metadata.
  size_t max_metadata_bytes = kDefaultMetadataLimit;
  // Whether threads that wait for calls to servers of this process run them (inline_call.h).
  bool inline_calls = false;
  // Whether streams may be direct (stream_interceptor.h), and other interceptors come first.
  bool direct_streams = false;
  bool has_interceptors = false;
  // Time between liveness pings of a waiting call, and for the answer. Zero `keepalive_time`: no
  // pings.
  std::chrono::milliseconds keepalive_time{0};
  std::chrono::milliseconds keepalive_timeout{20'000};
  // For one-way calls that cannot go through memory.
  std::shared_ptr<BackgroundCalls> background = {};
  std::shared_ptr<void> companion = {};  // lives as long as the channel
};

}  // namespace grpc_cxl::internal

#endif  // GRPC_CXL_DIRECT_DIRECT_CHANNEL_H_
