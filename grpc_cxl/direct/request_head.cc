// SPDX-License-Identifier: Apache-2.0
#include "grpc_cxl/direct/request_head.h"

#include <grpc/support/time.h>

#include <cstdint>

#include "grpc_cxl/direct/legal_metadata.h"
#include "grpc_cxl/payload/priority_metadata.h"

namespace grpc_cxl::internal {

bool IsPlain(grpc::ClientContext& context) {
  return context.credentials() == nullptr && context.compression_algorithm() == GRPC_COMPRESS_NONE;
}

bool SetTimeout(const grpc::ClientContext& context, RequestView* view) {
  const gpr_timespec deadline = context.raw_deadline();
  if (gpr_time_cmp(deadline, gpr_inf_future(deadline.clock_type)) == 0) return true;
  const gpr_timespec left = gpr_time_sub(deadline, gpr_now(deadline.clock_type));
  if (gpr_time_cmp(left, gpr_time_0(GPR_TIMESPAN)) <= 0) return false;
  if (left.tv_sec < int64_t{1} << 32) {
    view->timeout_ns = left.tv_sec * uint64_t{1'000'000'000} + left.tv_nsec;
  }
  return true;
}

bool SetMetadata(const DirectChannel& channel,
                 const std::multimap<std::string, std::string>& metadata, RequestView* view) {
  // gRPC has no getter for the authority of a call.
  if (!channel.authority.empty()) {
    if (!IsLegalMetadata("authority", channel.authority)) return false;
    view->metadata.emplace_back(kAuthorityKey, channel.authority);
  }
  view->metadata.emplace_back(kUserAgentKey, channel.user_agent);
  view->priority = PriorityIn(metadata);
  for (const auto& [key, value] : metadata) {
    if (!IsLegalMetadata(key, value)) return false;
    // gRPC, too, replaces the application's.
    if (key != kUserAgentKey) view->metadata.emplace_back(key, value);
  }
  return true;
}

}  // namespace grpc_cxl::internal
