// SPDX-License-Identifier: Apache-2.0
#ifndef GRPC_CXL_RENDEZVOUS_BACK_SOCKET_H_
#define GRPC_CXL_RENDEZVOUS_BACK_SOCKET_H_

#include <optional>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "grpc_cxl/base/foreign_fd.h"
#include "grpc_cxl/base/unique_fd.h"

// Sockets for connections back, from a server to its client (docs/protocol.md, section 3.6): they
// pass over a line, a socket pair of which the client has got one end with its Welcome. Nothing
// here blocks, whatever the sockets' flags. Thread-safe for different sockets.
namespace grpc_cxl::internal {

// The kernel tells nothing about the client here: both ends of a pair have their maker's
// credentials. So each end takes the peer for that of the connection to which the line belongs.
struct SocketEnds {
  UniqueFd ours, peers;
};

// Server. The client can send nothing on the line, and only a few sockets wait in it.
absl::StatusOr<SocketEnds> MakeLine();

// Server: sends one end of a new pair over its end of the line, and returns the other. UNAVAILABLE
// when the client has closed the line, RESOURCE_EXHAUSTED when it does not read it.
absl::StatusOr<UniqueFd> SendBackSocket(int line);

// Client: the next socket. nullopt: none yet. RESOURCE_EXHAUSTED when this process had no
// descriptor left for it; with all other errors the line is of no more use: UNAVAILABLE when the
// server has closed it, FAILED_PRECONDITION when what came is no connected SOCK_SEQPACKET socket,
// or the message is another. The server may keep what it sent, and put files into its queue.
absl::StatusOr<std::optional<ForeignFd>> ReceiveBackSocket(int line);

// The peer finds the line closed, although somebody may still have this end.
void EndLine(int line);

}  // namespace grpc_cxl::internal

#endif  // GRPC_CXL_RENDEZVOUS_BACK_SOCKET_H_
