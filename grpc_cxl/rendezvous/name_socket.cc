// SPDX-License-Identifier: Apache-2.0
#include "grpc_cxl/rendezvous/name_socket.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <chrono>
#include <optional>
#include <string>
#include <utility>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "grpc_cxl/base/foreign_fd.h"
#include "grpc_cxl/rendezvous/file_error.h"
#include "grpc_cxl/rendezvous/socket_address.h"

namespace grpc_cxl::internal {
namespace {

using Clock = std::chrono::steady_clock;

// A process that dies releases its lock some time before it closes its socket. A socket that is
// still connected to after so long belongs to a living process.
constexpr auto kLongestDeath = std::chrono::seconds(1);
constexpr int kRetryMs = 10;

std::optional<struct stat> Look(int directory, const std::string& file) {
  struct stat found;
  if (fstatat(directory, file.c_str(), &found, AT_SYMLINK_NOFOLLOW) != 0) return std::nullopt;
  return found;
}

UniqueFd MakeSocket() {
  return UniqueFd(::socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
}

int Connect(const UniqueFd& socket, const sockaddr_un& address) {
  return connect(socket.get(), reinterpret_cast<const sockaddr*>(&address), sizeof(address)) == 0
             ? 0
             : errno;
}

std::string ListenerOf(const UniqueFd& probe) {
  ucred credentials;
  socklen_t size = sizeof(credentials);
  const bool known = getsockopt(probe.get(), SOL_SOCKET, SO_PEERCRED, &credentials, &size) == 0 &&
                     credentials.pid > 0;
  return known ? absl::StrCat("process ", credentials.pid) : "another process";
}

// OK when no process listens on the socket at `address`.
absl::Status CheckIsDead(const sockaddr_un& address, const std::string& full) {
  const auto deadline = Clock::now() + kLongestDeath;
  for (;;) {
    const UniqueFd probe = MakeSocket();
    if (!probe) return FileError(errno, "open a socket to connect to", full);
    const int error = Connect(probe, address);
    if (error == EPROTOTYPE) {
      return absl::FailedPreconditionError(
          absl::StrCat(full, " is in the way: another program listens on it; choose another name"));
    }
    if (error != 0 && error != EAGAIN) return absl::OkStatus();
    pollfd end = {
        .fd = probe.get(), .events = error == 0 ? short{POLLRDHUP} : short{0}, .revents = 0};
    const auto left =
        std::chrono::duration_cast<std::chrono::milliseconds>(deadline - Clock::now()).count();
    if (left <= 0) {
      return absl::AlreadyExistsError(absl::StrCat(
          "it is already served by ", error == 0 ? ListenerOf(probe) : "another process", " (",
          full, " is in use); stop that server or choose another name"));
    }
    poll(&end, 1, error == 0 ? static_cast<int>(left) : kRetryMs);
    // A living server may hang up as well: ask again, but not at once.
    if (error == 0) poll(nullptr, 0, kRetryMs);
  }
}

absl::Status RemoveStale(int directory, const std::string& file, const sockaddr_un& address,
                         const std::string& full) {
  const std::optional<struct stat> found = Look(directory, file);
  if (!found.has_value()) return absl::OkStatus();
  if (!S_ISSOCK(found->st_mode)) {
    return absl::FailedPreconditionError(
        absl::StrCat(full, " is in the way: it is not a socket; move it away"));
  }
  if (absl::Status dead = CheckIsDead(address, full); !dead.ok()) return dead;
  if (unlinkat(directory, file.c_str(), 0) == 0 || errno == ENOENT) return absl::OkStatus();
  return FileError(errno, "remove the socket that an earlier server left,", full);
}

// Lets every user connect; bind() has applied the umask. Works on a descriptor of the socket,
// because the name may lead elsewhere by now in a directory that others can write to.
absl::StatusOr<struct stat> OpenToAll(int directory, const std::string& file,
                                      const std::string& full) {
  UniqueFd node(openat(directory, file.c_str(), O_PATH | O_NOFOLLOW | O_CLOEXEC));
  struct stat found;
  if (!node || fstat(node.get(), &found) != 0) return FileError(errno, "look at", full);
  if (!S_ISSOCK(found.st_mode)) return FileError(ENOTSOCK, "set the mode of", full);
  if (chmod(absl::StrCat("/proc/self/fd/", node.get()).c_str(), 0666) != 0) {
    return FileError(errno, "set the mode of", full);
  }
  return found;
}

}  // namespace

absl::StatusOr<NameSocket> NameSocket::Listen(int directory, const std::string& file,
                                              const std::string& full) {
  absl::StatusOr<sockaddr_un> address = SocketAddress(directory, file);
  if (!address.ok()) return address.status();
  if (absl::Status removed = RemoveStale(directory, file, *address, full); !removed.ok()) {
    return removed;
  }
  NameSocket socket;
  socket.fd_ = MakeSocket();
  if (!socket.fd_) return FileError(errno, "open a socket for", full);
  PassDescriptors(socket.fd(), false);  // nor for the connections that it accepts
  if (bind(socket.fd(), reinterpret_cast<const sockaddr*>(&*address), sizeof(*address)) != 0) {
    return FileError(errno, "make, by way of /proc/self/fd, the socket", full);
  }
  // Before listen() no client can connect, whatever the mode.
  const absl::StatusOr<struct stat> opened = OpenToAll(directory, file, full);
  absl::Status failed = opened.status();
  // The kernel lowers the length of the queue to net.core.somaxconn.
  if (opened.ok() && listen(socket.fd(), SOMAXCONN) != 0) {
    failed = FileError(errno, "listen on", full);
  }
  if (!failed.ok()) {
    unlinkat(directory, file.c_str(), 0);
    return failed;
  }
  socket.device_ = opened->st_dev;
  socket.inode_ = opened->st_ino;
  return socket;
}

absl::StatusOr<NameSocket> NameSocket::Adopt(int directory, const std::string& file,
                                             UniqueFd listening) {
  const auto option = [&listening](int name) {
    int value = -1;
    socklen_t size = sizeof(value);
    return getsockopt(listening.get(), SOL_SOCKET, name, &value, &size) == 0 ? value : -1;
  };
  const std::optional<struct stat> found = Look(directory, file);
  if (option(SO_DOMAIN) != AF_UNIX || option(SO_TYPE) != SOCK_SEQPACKET ||
      option(SO_ACCEPTCONN) != 1 || !found.has_value() || !S_ISSOCK(found->st_mode)) {
    return absl::FailedPreconditionError("the owner gave another file than the name's socket");
  }
  // Again: clients that connect from now on see our credentials (SO_PEERCRED), not the owner's.
  if (listen(listening.get(), SOMAXCONN) != 0) {
    return absl::ErrnoToStatus(errno, "cannot listen on the socket that the owner gave");
  }
  NameSocket socket;
  socket.fd_ = std::move(listening);
  socket.device_ = found->st_dev;
  socket.inode_ = found->st_ino;
  return socket;
}

absl::Status NameSocket::RemoveDead(int directory, const std::string& file,
                                    const std::string& full) {
  const absl::StatusOr<sockaddr_un> address = SocketAddress(directory, file);
  return address.ok() ? RemoveStale(directory, file, *address, full) : address.status();
}

bool NameSocket::IsAt(int directory, const std::string& file) const {
  const std::optional<struct stat> found = Look(directory, file);
  return fd_ && found.has_value() && found->st_dev == device_ && found->st_ino == inode_;
}

}  // namespace grpc_cxl::internal
