// SPDX-License-Identifier: Apache-2.0
#ifndef GRPC_CXL_DIRECT_NO_ROOM_H_
#define GRPC_CXL_DIRECT_NO_ROOM_H_

#include <grpcpp/support/status.h>

#include <string>

#include "absl/strings/str_cat.h"

namespace grpc_cxl::internal {

// The trailing metadata that says when to try again, in milliseconds; gRPC's retries read it.
inline constexpr char kPushbackKey[] = "grpc-retry-pushback-ms";

// Of a call that finds as many others waiting for its server's capacity as may.
inline grpc::Status NoRoom(const std::string& pushback_ms) {
  return grpc::Status(grpc::StatusCode::RESOURCE_EXHAUSTED,
                      absl::StrCat("the server is busy, and as many calls wait for it as may "
                                   "(ChannelOptions::max_waiting_calls); try again in ",
                                   pushback_ms, " ms"));
}

}  // namespace grpc_cxl::internal

#endif  // GRPC_CXL_DIRECT_NO_ROOM_H_
