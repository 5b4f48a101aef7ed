// SPDX-License-Identifier: Apache-2.0
#include "test/rendezvous/raw_peer.h"

#include <sys/socket.h>
#include <sys/uio.h>

#include <cstring>
#include <vector>

#include "absl/log/check.h"

namespace grpc_cxl::internal {

void SendRaw(int socket, std::string_view bytes, absl::Span<const int> fds) {
  iovec data{const_cast<char*>(bytes.data()), bytes.size()};
  msghdr message{};
  message.msg_iov = &data;
  message.msg_iovlen = 1;
  std::vector<char> control(CMSG_SPACE(fds.size() * sizeof(int)));
  if (!fds.empty()) {
    message.msg_control = control.data();
    message.msg_controllen = control.size();
    cmsghdr* header = CMSG_FIRSTHDR(&message);
    header->cmsg_level = SOL_SOCKET;
    header->cmsg_type = SCM_RIGHTS;
    header->cmsg_len = CMSG_LEN(fds.size() * sizeof(int));
    std::memcpy(CMSG_DATA(header), fds.data(), fds.size() * sizeof(int));
  }
  PCHECK(sendmsg(socket, &message, MSG_NOSIGNAL) == static_cast<ssize_t>(bytes.size()));
}

}  // namespace grpc_cxl::internal
