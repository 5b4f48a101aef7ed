// SPDX-License-Identifier: Apache-2.0
#ifndef GRPC_CXL_BASE_FOREIGN_FD_H_
#define GRPC_CXL_BASE_FOREIGN_FD_H_

#include <sys/types.h>

#include <utility>

#include "grpc_cxl/base/unique_fd.h"

// Descriptors whose close() may take as long as a peer likes: files that it passed to us (a TCP
// socket with SO_LINGER, a file in its own FUSE file system), and unix sockets with such files in
// their queue. They are closed by threads of their own: at most 16, and none after 10 s of rest.
// Files whose close() blocks delay others only when there are as many.
namespace grpc_cxl::internal {

// Never blocks. In a forked child, and where no thread can be made, it closes `fd` at once.
void CloseElsewhere(UniqueFd fd);

// So many descriptors wait to be closed that a caller should take no more from peers: their files
// and the limit of open files (ulimit -n) are all that bounds the queue.
bool TooManyToClose();

// Whether the kernel takes file descriptors for this unix socket; it does unless told otherwise.
// When not, it fails a peer's message that has some. Before Linux 6.16 it cannot be told.
void PassDescriptors(int socket, bool pass);
bool MayPassDescriptors(int socket);

// Looks at the next message in a unix socket's queue: recvmsg()'s result and errno, without
// waiting, and whether the message has file descriptors. Receives none: to receive and drop one may
// take as long as to close it.
ssize_t PeekMessage(int socket, bool* has_files);

// Closes a connection's unix socket: elsewhere if files may be in its queue.
void CloseSocket(UniqueFd socket);

// A UniqueFd that is closed elsewhere.
class ForeignFd {
 public:
  ForeignFd() = default;
  ForeignFd(UniqueFd fd) : fd_(std::move(fd)) {}  // NOLINT: as good as any UniqueFd
  ForeignFd(ForeignFd&&) noexcept = default;
  ForeignFd& operator=(ForeignFd&& other) noexcept {
    if (fd_) CloseElsewhere(std::move(fd_));
    fd_ = std::move(other.fd_);
    return *this;
  }
  ~ForeignFd() {
    if (fd_) CloseElsewhere(std::move(fd_));
  }

  int get() const { return fd_.get(); }
  explicit operator bool() const { return static_cast<bool>(fd_); }
  // It has turned out to be harmless.
  UniqueFd Release() { return std::move(fd_); }

 private:
  UniqueFd fd_;
};

}  // namespace grpc_cxl::internal

#endif  // GRPC_CXL_BASE_FOREIGN_FD_H_
