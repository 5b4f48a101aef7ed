// SPDX-License-Identifier: Apache-2.0
#include "examples/hotel_reservation/launcher/reserved_ports.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include "absl/log/check.h"
#include "absl/status/status.h"

namespace hotel_reservation {

absl::StatusOr<ReservedPorts> ReservedPorts::Take(int count) {
  for (int attempt = 0; attempt < 100; ++attempt) {
    ReservedPorts ports;
    if (!ports.Bind(0)) continue;
    bool all = ports.first_ + count - 1 <= 65535;
    for (int i = 1; i < count && all; ++i) all = ports.Bind(ports.first_ + i);
    if (all) return ports;
  }
  return absl::UnavailableError(
      "There are not enough consecutive free TCP ports: use --transport=unix.");
}

ReservedPorts::~ReservedPorts() {
  for (const int socket : sockets_) close(socket);
}

bool ReservedPorts::Bind(int port) {
  const int bound = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  PCHECK(bound >= 0) << "socket";
  sockets_.push_back(bound);
  const int on = 1;
  PCHECK(setsockopt(bound, SOL_SOCKET, SO_REUSEPORT, &on, sizeof(on)) == 0);
  sockaddr_in address = {};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  address.sin_port = htons(port);
  socklen_t length = sizeof(address);
  auto* generic = reinterpret_cast<sockaddr*>(&address);
  if (bind(bound, generic, length) != 0) return false;
  PCHECK(getsockname(bound, generic, &length) == 0);
  if (port == 0) first_ = ntohs(address.sin_port);
  return true;
}

}  // namespace hotel_reservation
