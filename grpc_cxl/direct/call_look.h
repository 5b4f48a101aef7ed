// SPDX-License-Identifier: Apache-2.0
#ifndef GRPC_CXL_DIRECT_CALL_LOOK_H_
#define GRPC_CXL_DIRECT_CALL_LOOK_H_

#include "grpc_cxl/calls/call_layout.h"
#include "grpc_cxl/link/link.h"
#include "grpc_cxl/link/link_layout.h"

// The calls' words in the look lines of a link.
namespace grpc_cxl::internal {

static_assert(sizeof(CallClientLook) == sizeof(LinkLookLine::calls));
static_assert(sizeof(CallServerLook) == sizeof(LinkLookLine::calls));

inline CallClientPlaces ClientLookOf(const Link& link) {
  return {reinterpret_cast<CallClientLook*>(link.my_call_look()),
          reinterpret_cast<const CallServerLook*>(link.peer_call_look())};
}
inline CallServerPlaces ServerLookOf(const Link& link) {
  return {reinterpret_cast<CallServerLook*>(link.my_call_look()),
          reinterpret_cast<const CallClientLook*>(link.peer_call_look())};
}

}  // namespace grpc_cxl::internal

#endif  // GRPC_CXL_DIRECT_CALL_LOOK_H_
