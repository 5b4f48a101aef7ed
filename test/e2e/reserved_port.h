// SPDX-License-Identifier: Apache-2.0
#ifndef GRPC_CXL_TEST_E2E_RESERVED_PORT_H_
#define GRPC_CXL_TEST_E2E_RESERVED_PORT_H_

#include <netinet/in.h>
#include <sys/socket.h>

#include "absl/log/check.h"
#include "grpc_cxl/base/unique_fd.h"
#include "grpc_cxl/rendezvous/tcp_address.h"

namespace grpc_cxl::e2e {

// A port of 127.0.0.1 that nobody gets but servers of this user (SO_REUSEPORT): bound, and not
// listening.
class ReservedPort {
 public:
  ReservedPort() : socket_(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    const int on = 1;
    PCHECK(setsockopt(socket_.get(), SOL_SOCKET, SO_REUSEPORT, &on, sizeof(on)) == 0);
    address_.sin_family = AF_INET;
    address_.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof(address_);
    PCHECK(bind(socket_.get(), reinterpret_cast<sockaddr*>(&address_), size) == 0);
    PCHECK(getsockname(socket_.get(), reinterpret_cast<sockaddr*>(&address_), &size) == 0);
  }

  int number() const { return ntohs(address_.sin_port); }
  internal::TcpAddress address() const {
    return *internal::TcpAddress::From(reinterpret_cast<const sockaddr*>(&address_),
                                       sizeof(address_));
  }

 private:
  const internal::UniqueFd socket_;
  sockaddr_in address_ = {};
};

}  // namespace grpc_cxl::e2e

#endif  // GRPC_CXL_TEST_E2E_RESERVED_PORT_H_
