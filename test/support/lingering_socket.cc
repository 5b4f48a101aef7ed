// SPDX-License-Identifier: Apache-2.0
#include "test/support/lingering_socket.h"

#include <netinet/in.h>
#include <sys/socket.h>

#include <string>

#include "absl/log/check.h"

namespace grpc_cxl::internal {

UniqueFd LingeringSocket(UniqueFd* reader) {
  const UniqueFd listener(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof(address);
  PCHECK(bind(listener.get(), reinterpret_cast<sockaddr*>(&address), size) == 0);
  PCHECK(getsockname(listener.get(), reinterpret_cast<sockaddr*>(&address), &size) == 0);
  PCHECK(listen(listener.get(), 1) == 0);
  UniqueFd writer(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  PCHECK(connect(writer.get(), reinterpret_cast<sockaddr*>(&address), size) == 0);
  *reader = UniqueFd(accept(listener.get(), nullptr, nullptr));
  const linger on_close{.l_onoff = 1, .l_linger = 20};
  PCHECK(setsockopt(writer.get(), SOL_SOCKET, SO_LINGER, &on_close, sizeof(on_close)) == 0);
  const std::string bytes(1 << 16, 'x');
  while (send(writer.get(), bytes.data(), bytes.size(), MSG_DONTWAIT) > 0) {
  }
  return writer;
}

}  // namespace grpc_cxl::internal
