// SPDX-License-Identifier: Apache-2.0
#ifndef GRPC_CXL_PRIORITY_H_
#define GRPC_CXL_PRIORITY_H_

#include <grpcpp/client_context.h>
#include <grpcpp/server_context.h>

#include "grpc_cxl/priority_level.h"

namespace grpc_cxl {

// Says how urgent a call is. Before the call begins:
//
//   grpc::ClientContext context;
//   grpc_cxl::SetPriority(&context, grpc_cxl::Priority::kBulk);
//   stub->Scan(&context, request, &response);
//
// Any server and proxy can read it: it is metadata in the syntax of RFC 9218, "priority: u=1" for
// kInteractive, "u=3" for kDefault, "u=6" for kBulk. Works on every channel. A call without it has
// its channel's priority (ChannelOptions::priority), else kDefault. The calls that its handler
// makes inherit it by ClientContextFor() or PassOn() (client_context.h). After these, give the
// priority to them instead; of two that are set, the last counts.
//
// Through memory, more urgent direct calls go first where calls wait: docs/priorities.md says where
// that is, and for how long others wait at most.
void SetPriority(grpc::ClientContext* context, Priority priority);

// The priority of a handler's call: kInteractive for "u=0" to "u=2", kBulk for "u=5" to "u=7",
// else, also without a valid one, kDefault. Thread-safe, while the call lasts.
Priority PriorityOf(const grpc::ServerContextBase& context);

}  // namespace grpc_cxl

#endif  // GRPC_CXL_PRIORITY_H_
