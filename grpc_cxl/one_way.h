// SPDX-License-Identifier: Apache-2.0
#ifndef GRPC_CXL_ONE_WAY_H_
#define GRPC_CXL_ONE_WAY_H_

#include <grpcpp/client_context.h>

namespace grpc_cxl {

// Makes the unary call of `context` one-way: it returns OK without waiting for the server's
// answer, which nobody gets. For events, metrics and the like, where a lost call now and then does
// no harm. Before the call begins:
//
//   grpc::ClientContext context;
//   grpc_cxl::DoNotWait(&context);
//   stub->Record(&context, event, &ignored);   // some microseconds
//
// On a channel of grpc_cxl's credentials without TLS that may have direct calls:
//   * Through memory, OK means that the request lies in the arena and the server has been told.
//     The handler runs as for any call, with the deadline, and cannot tell the difference. The call
//     is lost when either process ends before the handler has run; a server that shuts down first
//     hands it back, and it is made over HTTP/2. What the handler answers is dropped there.
//   * Over the network, or where there is no space for the request, OK means that this process
//     makes the call in the background, over HTTP/2. It is lost as well when this process ends
//     first. A failure is counted (DirectCallStats::one_way_failed) and logged.
//   * Back pressure: when more than three quarters of the connection's slots (up to 512) are in
//     use, or 512 calls are under way in the background, the call waits for its answer as if this
//     had not been called. It does so, too, where it must: with call credentials or compression, by
//     the completion-queue API, generic stubs, ClientUnaryReactor, without the service's descriptor
//     or with a global client interceptor. Then the status and the response
//     are the call's own.
// A call in the background has neither wait_for_ready nor a call's own authority: gRPC does not
// tell them. The calls run in no particular order, at most once. A cancellation comes too late as
// soon as the call has returned. Interceptors see the call that returns OK; the server's, the one
// that runs. On other channels it is an ordinary call, with a metadata entry "cxl-one-way" that
// means nothing.
void DoNotWait(grpc::ClientContext* context);

}  // namespace grpc_cxl

#endif  // GRPC_CXL_ONE_WAY_H_
