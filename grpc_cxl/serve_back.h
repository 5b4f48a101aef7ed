// SPDX-License-Identifier: Apache-2.0
#ifndef GRPC_CXL_SERVE_BACK_H_
#define GRPC_CXL_SERVE_BACK_H_

#include <grpcpp/channel.h>
#include <grpcpp/server.h>
#include <grpcpp/server_context.h>
#include <grpcpp/support/channel_arguments.h>

#include <memory>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "grpc_cxl/check_requirements.h"
#include "grpc_cxl/options.h"

namespace grpc_cxl {

// Both ends equal: a server calls its client, which no one could dial. The client builds a server,
// with or without addresses, and names it in the arguments of its channel:
//
//   grpc_cxl::ServerBuilder builder;
//   builder.RegisterService(&notifications);
//   auto own_server = builder.BuildAndStart();
//   grpc::ChannelArguments arguments;
//   absl::Status status = grpc_cxl::ServeBack(*own_server, &arguments);
//   auto channel =
//       grpc::CreateCustomChannel("cxl:///hub", grpc_cxl::ChannelCredentials(), arguments);
//
// and a handler of the server takes an ordinary channel to whoever calls it:
//
//   auto peer = grpc_cxl::ChannelToPeer(*context);
//   if (peer.ok()) Notifications::NewStub(*peer)->...
//
// It calls with deadlines, streams and direct calls as any client, and the client's handlers see it
// as one: CallPeer() (direct_calls.h) tells them the server's process. From both kinds of handlers,
// of calls over HTTP/2 and of direct calls, all calls back of one connection use one channel.
//
// The connection back has an arena of its own, and nothing else that would be new: it is an
// ordinary connection, for which the client has connected one more socket to its server, so it
// works wherever the first one does, whoever could find the client. Nobody but the two processes of
// the first connection is at its ends, each on the same rung of trust as there
// (docs/configuration.md, Trust); it has no TLS. It is made when the server first calls back, and
// again when it is needed after its end. Until then a channel that serves back costs a descriptor
// in each process; then it costs what a connection does, on the client's account, and one
// descriptor more in each.
//
// Lives no longer than the first connection: when that one ends, because either process does, or
// the client's channel goes, or its server shuts down, calls in flight end UNAVAILABLE, and so do
// all later calls of that channel. The client's next connection serves back by itself; the server
// gets its channel from a handler again. When the client's own server shuts down, calls end as
// those of its other clients.
//
// Through shared memory only: a call that has come over the network, or from another host through
// a region, has no way back.

// Has `arguments` say that the servers to which their channels connect may call `server`, which a
// grpc_cxl::ServerBuilder has made. Channels with equal targets and options share their connections
// only if they serve back to the same server, or both to none. The last call counts. The server may
// end before the channel, and its services must outlive it as always.
//
// `options` are those of the connections back: their memory and limits, direct calls, capacity,
// waiting. Those that say where names are, and who may connect, are the channel's, since it has
// chosen its servers: directories, rollout, `secret_file`, uids and groups of `options` do not
// count, nor do `also_known_as`, `take_over` and `replicas`. `max_connections` and
// `max_total_arena_bytes` are for all connections back to `server`.
//
// FAILED_PRECONDITION when another builder has made the server, or it is served back with other
// options; INVALID_ARGUMENT when `options` or the environment have nonsense
// (docs/configuration.md). Thread-safe for different arguments.
absl::Status ServeBack(grpc::Server& server, grpc::ChannelArguments* arguments,
                       const ServerOptions& options = {});

// A channel from a handler to the client that has made the call of `context`. It may be kept: it
// works until the client's connection ends, however long after the handler. Returns at once; the
// first call connects.
//
// FAILED_PRECONDITION when the client does not serve back, or the call has not come through shared
// memory; UNAVAILABLE when the client's connection has ended. Each with a sentence that says what
// to do. Thread-safe.
absl::StatusOr<std::shared_ptr<grpc::Channel>> ChannelToPeer(
    const grpc::ServerContextBase& context);

}  // namespace grpc_cxl

#endif  // GRPC_CXL_SERVE_BACK_H_
