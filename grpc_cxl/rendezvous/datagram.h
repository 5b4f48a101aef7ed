// SPDX-License-Identifier: Apache-2.0
#ifndef GRPC_CXL_RENDEZVOUS_DATAGRAM_H_
#define GRPC_CXL_RENDEZVOUS_DATAGRAM_H_

#include <cstddef>
#include <optional>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "grpc_cxl/base/foreign_fd.h"

// One message of a unix SOCK_SEQPACKET socket, with or without a file descriptor.
// Nothing here blocks, whatever the socket's flags, or raises SIGPIPE.
namespace grpc_cxl::internal {

// Sends `size` bytes as one message, with copies of at most kMostFds `fds`. UNAVAILABLE when the
// peer has closed, RESOURCE_EXHAUSTED when the socket's buffer is full.
inline constexpr size_t kMostFds = 2;
absl::Status SendDatagram(int socket, const void* data, size_t size,
                          absl::Span<const int> fds = {});

// Whether a message waits, and whether file descriptors are attached to it. Receives none: to
// receive and close a descriptor can take as long as its owner likes (SO_LINGER of a TCP socket).
enum class Waiting { kNothing, kMessage, kMessageWithFds };
absl::StatusOr<Waiting> LookForDatagram(int socket);

// The file descriptors that came with a message. Those not taken are closed elsewhere.
class ReceivedFds {
 public:
  // FAILED_PRECONDITION when the message had none or several, RESOURCE_EXHAUSTED when
  // this process could not take it because its limit of open files is reached.
  absl::StatusOr<ForeignFd> TheOnlyOne() &&;
  // The same for so many.
  absl::StatusOr<std::vector<ForeignFd>> Take(size_t count) &&;

 private:
  friend absl::StatusOr<std::optional<size_t>> ReceiveDatagram(int, void*, size_t, ReceivedFds*);
  std::vector<ForeignFd> fds_;
  bool truncated_ = false;
};

// Receives one message into `data` and returns its full length, which may exceed `size` (the
// rest is dropped). nullopt: no message yet; UNAVAILABLE: the peer has closed. With `fds` null,
// file descriptors in the message are dropped, which may block (LookForDatagram()).
absl::StatusOr<std::optional<size_t>> ReceiveDatagram(int socket, void* data, size_t size,
                                                      ReceivedFds* fds);

}  // namespace grpc_cxl::internal

#endif  // GRPC_CXL_RENDEZVOUS_DATAGRAM_H_
