// SPDX-License-Identifier: Apache-2.0
#ifndef GRPC_CXL_RENDEZVOUS_LINE_H_
#define GRPC_CXL_RENDEZVOUS_LINE_H_

#include <sys/types.h>

#include <cstdint>
#include <optional>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "grpc_cxl/rendezvous/handshake.h"
#include "grpc_cxl/rendezvous/line_key.h"

// Lines: sockets for calls back (docs/protocol.md, section 3.6). The client of a connection
// connects to the server once more, and says by a claim to which connection the socket belongs; the
// server says hello on it when it calls back. Rules as in handshake.h: nothing blocks, and after an
// error, close the socket.
//
//   client                     server
//     | --- Line ---------------> |   checks the claim, and that it is the client's process
//     |                           |   keeps the socket, for hours perhaps
//     | <-- Hello --------------- |   checks the key; from here on the server is the client
namespace grpc_cxl::internal {

// Client: the first message on a socket that Dial() has connected, after CheckServer().
absl::Status SendLine(int socket, const LineClaim& claim);

// Client: the Hello of the server that knows `key`. Errors as ReceiveHello(), which reads the Line
// at the server; PERMISSION_DENIED also when it has another key. Where the server has refused the
// line: as RefusalStatus(), with its reason.
absl::StatusOr<std::optional<ClientHello>> ReceiveHelloOnLine(int line, const LineKey& key);

// The process that connected or listened at the other end of a socket, to compare it with others.
// Where the kernel shows neither its pid nor its number (process_number.h), all are equal.
struct PeerProcess {
  static absl::StatusOr<PeerProcess> Of(int socket);

  pid_t pid = 0;
  uint64_t number = 0;
  friend bool operator==(const PeerProcess&, const PeerProcess&) = default;
};

// Whose lines are those of a connection. A plain value.
struct LineSource {
  LineKey key;
  PeerProcess client;
};

}  // namespace grpc_cxl::internal

#endif  // GRPC_CXL_RENDEZVOUS_LINE_H_
