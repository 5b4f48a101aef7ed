// SPDX-License-Identifier: Apache-2.0
#include "grpc_cxl/rendezvous/datagram.h"

#include <errno.h>
#include <sys/socket.h>
#include <sys/uio.h>

#include <cstring>
#include <optional>
#include <utility>

#include "absl/log/check.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"

#ifndef SCM_MAX_FD
#define SCM_MAX_FD 253  // in one message: the kernel's limit, in none of its headers
#endif

namespace grpc_cxl::internal {
namespace {

absl::Status PeerClosed() {
  return absl::UnavailableError("the peer closed the connection during the handshake");
}

}  // namespace

absl::Status SendDatagram(int socket, const void* data, size_t size, absl::Span<const int> fds) {
  CHECK_LE(fds.size(), kMostFds);
  iovec bytes{const_cast<void*>(data), size};
  alignas(cmsghdr) char control[CMSG_SPACE(kMostFds * sizeof(int))] = {};
  msghdr message{};
  message.msg_iov = &bytes;
  message.msg_iovlen = 1;
  if (!fds.empty()) {
    message.msg_control = control;
    message.msg_controllen = CMSG_SPACE(fds.size() * sizeof(int));
    cmsghdr* header = CMSG_FIRSTHDR(&message);
    header->cmsg_level = SOL_SOCKET;
    header->cmsg_type = SCM_RIGHTS;
    header->cmsg_len = CMSG_LEN(fds.size() * sizeof(int));
    std::memcpy(CMSG_DATA(header), fds.data(), fds.size() * sizeof(int));
  }
  ssize_t sent;
  do {
    sent = sendmsg(socket, &message, MSG_NOSIGNAL | MSG_DONTWAIT);
  } while (sent < 0 && errno == EINTR);
  if (sent >= 0) return absl::OkStatus();  // a message goes whole or not at all
  switch (errno) {
    case EPIPE:
    case ECONNRESET:
      return PeerClosed();
    case EAGAIN:
      return absl::ResourceExhaustedError("the peer does not read its socket");
    case ETOOMANYREFS:
      return absl::ResourceExhaustedError(
          "too many file descriptors are in flight to clients that do not receive them; try again "
          "later");
    default:
      return absl::ErrnoToStatus(errno, "cannot send a handshake message");
  }
}

absl::StatusOr<Waiting> LookForDatagram(int socket) {
  bool has_files;
  const ssize_t size = PeekMessage(socket, &has_files);
  if (size < 0 && errno == EAGAIN) return Waiting::kNothing;
  if (size < 0 && errno == ECONNRESET) return PeerClosed();
  if (size < 0) return absl::ErrnoToStatus(errno, "cannot receive a handshake message");
  return has_files ? Waiting::kMessageWithFds : Waiting::kMessage;
}

absl::StatusOr<ForeignFd> ReceivedFds::TheOnlyOne() && {
  if (fds_.empty() && truncated_) {
    return absl::ResourceExhaustedError(
        "no file descriptor left to take the connection's memory; raise the limit (ulimit -n) or "
        "close connections");
  }
  if (fds_.empty()) {
    return absl::FailedPreconditionError("the server's welcome came without the arena's file");
  }
  if (fds_.size() > 1 || truncated_) {
    return absl::FailedPreconditionError("the server's welcome came with more than one file");
  }
  return std::move(fds_[0]);
}

absl::StatusOr<std::vector<ForeignFd>> ReceivedFds::Take(size_t count) && {
  if (fds_.size() < count && truncated_) {
    return absl::ResourceExhaustedError(
        "no file descriptor left to take the peer's files; raise the limit (ulimit -n)");
  }
  if (fds_.size() != count || truncated_) {
    return absl::FailedPreconditionError("the peer sent another number of files");
  }
  return std::move(fds_);
}

absl::StatusOr<std::optional<size_t>> ReceiveDatagram(int socket, void* data, size_t size,
                                                      ReceivedFds* fds) {
  iovec bytes{data, size};
  // Room for all: the kernel would close on this thread what does not fit, as it does when our
  // limit of open files is reached.
  alignas(cmsghdr) char control[CMSG_SPACE(SCM_MAX_FD * sizeof(int))];
  msghdr message{};
  message.msg_iov = &bytes;
  message.msg_iovlen = 1;
  if (fds != nullptr) {
    message.msg_control = control;
    message.msg_controllen = sizeof(control);
  }
  ssize_t received;
  do {
    received = recvmsg(socket, &message, MSG_DONTWAIT | MSG_CMSG_CLOEXEC | MSG_TRUNC);
  } while (received < 0 && errno == EINTR);
  if (received < 0) {
    if (errno == EAGAIN) return std::nullopt;
    if (errno == ECONNRESET) return PeerClosed();
    return absl::ErrnoToStatus(errno, "cannot receive a handshake message");
  }
  if (fds != nullptr) {
    fds->truncated_ = (message.msg_flags & MSG_CTRUNC) != 0;
    for (cmsghdr* header = CMSG_FIRSTHDR(&message); header != nullptr;
         header = CMSG_NXTHDR(&message, header)) {
      if (header->cmsg_level != SOL_SOCKET || header->cmsg_type != SCM_RIGHTS) continue;
      const size_t count = (header->cmsg_len - CMSG_LEN(0)) / sizeof(int);
      for (size_t i = 0; i < count; ++i) {
        int fd;
        std::memcpy(&fd, CMSG_DATA(header) + i * sizeof(int), sizeof(int));
        fds->fds_.push_back(UniqueFd(fd));
      }
    }
  }
  if (received == 0) return PeerClosed();
  return static_cast<size_t>(received);
}

}  // namespace grpc_cxl::internal
