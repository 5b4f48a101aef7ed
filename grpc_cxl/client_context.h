// SPDX-License-Identifier: Apache-2.0
#ifndef GRPC_CXL_CLIENT_CONTEXT_H_
#define GRPC_CXL_CLIENT_CONTEXT_H_

#include <grpcpp/client_context.h>
#include <grpcpp/server_context.h>

#include <memory>
#include <optional>

#include "grpc_cxl/check_requirements.h"
#include "grpc_cxl/priority_level.h"

namespace grpc_cxl {

// A context for calls that a handler makes to serve its own call:
//
//   auto context = grpc_cxl::ClientContextFor(*server_context);
//   grpc::Status status = stub->Charge(context.get(), request, &response);
//
// It has the deadline of the handler's call, is cancelled within some 5 ms when that call is, and
// has what PassOn() passes on. Works on any channel. The deadline and cancellation that a context
// of grpc::ClientContext::FromServerContext() inherits are known to gRPC's core alone, and a direct
// call does not have them.
//
// For handlers of the synchronous and the callback API: the completion-queue API does not tell at
// any time whether a call is cancelled. `server_context` must outlive the result. Thread-safe.
std::shared_ptr<grpc::ClientContext> ClientContextFor(
    const grpc::ServerContextBase& server_context, std::optional<Priority> priority = std::nullopt);

// Passes on to a call what tells where the handler's call came from and how urgent it is: the
// metadata x-request-id, traceparent, tracestate, baggage, grpc-trace-bin, b3 and x-b3-..., and its
// priority (priority.h), or `priority` instead. For contexts that are made in another way. Before
// the call begins, and once.
void PassOn(const grpc::ServerContextBase& server_context, grpc::ClientContext* context,
            std::optional<Priority> priority = std::nullopt);

}  // namespace grpc_cxl

#endif  // GRPC_CXL_CLIENT_CONTEXT_H_
