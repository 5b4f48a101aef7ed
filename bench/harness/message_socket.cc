// SPDX-License-Identifier: Apache-2.0
#include "bench/harness/message_socket.h"

#include <sys/socket.h>

#include <cerrno>
#include <string>

#include "absl/log/check.h"

namespace grpc_cxl::bench {

absl::Status SendMessage(int socket, const google::protobuf::MessageLite& message) {
  const std::string bytes = message.SerializeAsString();
  CHECK(!bytes.empty()) << "an empty packet looks like end of file";
  ssize_t sent;
  do {
    sent = send(socket, bytes.data(), bytes.size(), MSG_NOSIGNAL);
  } while (sent < 0 && errno == EINTR);
  if (sent < 0) return absl::ErrnoToStatus(errno, "send on the control socket");
  return absl::OkStatus();
}

absl::StatusOr<bool> ReceiveMessage(int socket, google::protobuf::MessageLite& message) {
  const auto receive = [socket](char* to, size_t bytes, int flags) {
    ssize_t length;
    do {
      length = recv(socket, to, bytes, flags);
    } while (length < 0 && errno == EINTR);
    return length;
  };
  ssize_t length = receive(nullptr, 0, MSG_PEEK | MSG_TRUNC);
  if (length < 0 && errno == ECONNRESET) return false;  // it ended with our message unread
  if (length < 0) return absl::ErrnoToStatus(errno, "recv on the control socket");
  if (length == 0) return false;
  std::string bytes(length, '\0');
  length = receive(bytes.data(), bytes.size(), 0);
  if (length < 0) return absl::ErrnoToStatus(errno, "recv on the control socket");
  if (!message.ParseFromString(bytes)) {
    return absl::InternalError("A message on the control socket does not parse.");
  }
  return true;
}

}  // namespace grpc_cxl::bench
