// SPDX-License-Identifier: Apache-2.0
#ifndef GRPC_CXL_DIRECT_CALLS_H_
#define GRPC_CXL_DIRECT_CALLS_H_

#include <grpcpp/server.h>
#include <grpcpp/server_context.h>
#include <sys/types.h>

#include <cstddef>
#include <cstdint>
#include <optional>

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "grpc_cxl/check_requirements.h"

namespace grpc_cxl {

// Offers direct calls on the addresses of `server` with grpc_cxl's credentials: unary calls of
// generated stubs then bypass HTTP/2 and its hand-offs between threads. Clients take the offer by
// themselves (ChannelOptions::direct_calls). grpc_cxl::ServerBuilder does this by itself; with
// gRPC's builder, call it once, after BuildAndStart(); until then, calls go over HTTP/2:
//
//   auto server = builder.BuildAndStart();
//   grpc_cxl::EnableDirectCalls(*server);
//   ...
//   grpc_cxl::Shutdown(*server, absl::Now() + absl::Seconds(30));
//
// The same as over HTTP/2: status, metadata, deadlines, cancellation, size limits of messages and
// metadata, interceptors on both sides. A call that would differ as a direct call goes over HTTP/2:
// streams (unless ChannelOptions and ServerOptions have `direct_streams`), generic stubs and
// messages that are not generated classes, ClientUnaryReactor, the completion-queue API for unary
// calls, call credentials, TLS, compression, service configs, large requests for which no payload
// block is free, calls while no connection is up.
//
// What a handler can tell from a direct call:
//   * peer() is empty: the call reaches the service through the server's own in-process
//     channel. CallPeer() tells the client's pid and uid on both paths.
//   * auth_context() says that the peer is not authenticated, as it does over HTTP/2 without
//     TLS, and has no properties at all.
//   * client_metadata() has an entry "cxl-peer-bin" of the server's. Do not read it: on other
//     paths it is what the client sends.
// What a client can tell:
//   * A context of ClientContext::FromServerContext() passes neither deadline nor cancellation on;
//     use ClientContextFor() (client_context.h). ClientContext::set_authority() has no effect;
//     GRPC_ARG_DEFAULT_AUTHORITY has.
//   * Server::Shutdown() waits 10 ms for direct calls, whatever its deadline; calls that run
//     longer end UNAVAILABLE, because gRPC closes its in-process channel at once. Shutdown()
//     below waits for them as for others.
//   * peer() is the channel's target. debug_error_string() is empty. Initial metadata comes with
//     the response, however early the handler sends it.
//   * Idle times and ages of channels and connections, keepalive, channelz and OpenTelemetry:
//     docs/direct_calls.md lists every difference.
//
// NOT_FOUND when the server has no address with these credentials and without TLS, or
// ServerOptions::direct_calls says no. FAILED_PRECONDITION
// when the process has a global client interceptor, which would take the server's direct calls for
// calls of its own, or the server has an argument that counts HTTP/2 streams only:
// GRPC_ARG_MAX_CONCURRENT_STREAMS, GRPC_ARG_MAX_CONNECTION_IDLE_MS, or
// GRPC_ARG_MAX_CONNECTION_AGE_GRACE_MS with an age. Thread-safe.
absl::Status EnableDirectCalls(grpc::Server& server);

// How many direct calls `server` runs at a time from now on, instead of ServerOptions::capacity, on
// all of its connections; from 0: any number, to 1048576. Calls that run go on, however many they
// are; waiting ones begin as soon as there is room. HTTP/2 keeps the number that it began with.
// NOT_FOUND when the server has no address with grpc_cxl's credentials. Thread-safe.
absl::Status SetCapacity(grpc::Server& server, size_t calls);

// Shuts `server` down in order: gives its names up, sends its clients away, lets calls that run
// finish until `deadline` (default: however long they take), then calls server.Shutdown(deadline).
// Clients make their next calls elsewhere, so none fails if another server has taken over
// (ServerOptions::take_over); with server.Shutdown() alone, calls that arrive as it begins end
// CANCELLED, and direct calls that run are cut off. Where clients cannot be told, because their
// connections have TLS or come over the network, it is server.Shutdown(deadline) for them. Blocks;
// thread-safe. For any server.
void Shutdown(grpc::Server& server, absl::Time deadline = absl::InfiniteFuture());

// Waits until other servers have taken over all names and network addresses of `server`
// (ServerOptions::take_over), until Shutdown(), or until `deadline`; whether they have. False at
// once for a server without any. The server goes on to serve its connections: Shutdown() is next.
// Thread-safe.
bool AwaitTakeOver(grpc::Server& server, absl::Time deadline = absl::InfiniteFuture());

// Which path the unary calls of this process took on channels that may make direct calls.
// Counted since the process began.
struct DirectCallStats {
  uint64_t direct = 0;          // begun as direct calls
  uint64_t direct_streams = 0;  // streams begun as direct calls
  uint64_t http2_streams = 0;   // streams of channels with `direct_streams` over HTTP/2, for
                                // whatever reason
  uint64_t in_process = 0;      // of `direct`, to servers of this process, without the arena
  uint64_t not_taken = 0;      // of those, made at another replica or on the stream path after all:
                               // the server was shutting down or went before it had taken them
  uint64_t no_connection = 0;  // stream path: no connection that offers direct calls was up
  uint64_t not_eligible = 0;   // stream path: the list above
  uint64_t too_large = 0;      // stream path: a buffer too small, and no payload block free
  uint64_t no_slot = 0;        // stream path: all open slots of the connection were taken
  // Stream path: the channel has TLS, a service config, default compression or a stats plugin.
  uint64_t excluded_channel = 0;
  // Stream path: this process has an interceptor for all its client calls
  // (RegisterGlobalClientInterceptorFactory()), which would not see the direct ones.
  uint64_t global_interceptor = 0;
  // Stream path: the descriptor of the service is not linked into this program. A log line names
  // the service and says how to link it.
  uint64_t no_descriptor = 0;
  // Calls of DoNotWait() (one_way.h) that returned at once, not counted above; and of those, as far
  // as this process knows, the ones that did not run or failed: lost with a connection, or in the
  // background with another status than OK.
  uint64_t one_way = 0;
  uint64_t one_way_failed = 0;
  // Calls of DoNotWait() that this process has made in the background, over HTTP/2; some of them
  // after a server had handed them back.
  uint64_t one_way_background = 0;
};

// Thread-safe; a few loads.
DirectCallStats GetDirectCallStats();

// The direct calls that came to this process's servers since it began.
struct ServedCallStats {
  uint64_t taken = 0;    // and so run
  uint64_t refused = 0;  // made on the stream path after all: the server was shutting down, or had
                         // no memory for them; or cancelled before they were taken
  uint64_t streams = 0;  // streams that were taken, not counted above
};

// Thread-safe; a few loads.
ServedCallStats GetServedCallStats();

// A client process.
struct CallPeerIdentity {
  pid_t pid = 0;  // as this process's pid namespace numbers it; 0 when it has no number there
  // As this process's user namespace numbers it. There, 65534 stands for every user whom it does
  // not map, and is nobody's identity.
  uid_t uid = 0;
  // Whether the client has proved to know this server's secret (EndpointOptions::secret_file). All
  // who share the secret look alike; give each group of clients that should differ a name and a
  // secret of its own.
  bool knows_secret = false;
};

// The client process of a call that came through memory, as the kernel identified it;
// nullopt for other calls. Works for stream and direct calls. Thread-safe.
//
// It believes the seal at the end of peer(), which this process makes for each client process, and
// for as long as it lives. A seal could not end with its connection: handlers may outlive that, and
// the text is all that gRPC tells them. So who has seen another client's peer(), in a log or in an
// answer, and is a client of a unix socket of any server in this process, can bind its own end to
// that text and pass for the other client. Where there is such a socket, keep peer() to yourself.
std::optional<CallPeerIdentity> CallPeer(const grpc::ServerContextBase& context);

}  // namespace grpc_cxl

#endif  // GRPC_CXL_DIRECT_CALLS_H_
