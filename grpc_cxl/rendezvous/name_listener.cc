// SPDX-License-Identifier: Apache-2.0
#include "grpc_cxl/rendezvous/name_listener.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <string>
#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "grpc_cxl/rendezvous/file_error.h"
#include "grpc_cxl/rendezvous/name_lock.h"
#include "grpc_cxl/rendezvous/socket_address.h"

// The steps, and what a death between them leaves behind
//
// Only the owner of the name (name_lock.h) runs the steps below, so other servers do not
// interfere with Listen() and Remove(). A server that is killed between any two steps leaves the
// lock free and one of these states:
//
//     in the directory    a client sees     the next Listen()
//     ------------------  ----------------  -----------------------------------
//     nothing             ENOENT            begins from nothing
//     .lock               ENOENT            locks the file it finds
//     .lock and .sock     ECONNREFUSED      locks, unlinks the socket, binds its own
//
// Remove() takes the socket away first and the lock file last. The other way round, a
// successor could lock a new file and bind its socket between the two, and the second
// step would remove the successor's socket.
namespace grpc_cxl::internal {
namespace {

bool IsSocket(int directory, const std::string& file) {
  struct stat found;
  return fstatat(directory, file.c_str(), &found, AT_SYMLINK_NOFOLLOW) == 0 &&
         S_ISSOCK(found.st_mode);
}

// Removes the socket that a killed owner left. Never removes any other kind of file.
absl::Status RemoveStaleSocket(int directory, const std::string& file, const std::string& full) {
  if (IsSocket(directory, file)) {
    if (unlinkat(directory, file.c_str(), 0) == 0 || errno == ENOENT) return absl::OkStatus();
    return FileError(errno, "remove the socket that an earlier server left,", full);
  }
  if (faccessat(directory, file.c_str(), F_OK, AT_SYMLINK_NOFOLLOW) != 0) return absl::OkStatus();
  return absl::FailedPreconditionError(
      absl::StrCat(full, " is in the way: it is not a socket; move it away"));
}

// Lets every user connect; bind() has applied the umask. Works on a descriptor of the socket,
// because the name may lead elsewhere by now in a directory that others can write to.
absl::Status OpenToAll(int directory, const std::string& file, const std::string& full) {
  UniqueFd node(openat(directory, file.c_str(), O_PATH | O_NOFOLLOW | O_CLOEXEC));
  struct stat found;
  if (!node || fstat(node.get(), &found) != 0) return FileError(errno, "look at", full);
  if (!S_ISSOCK(found.st_mode)) return FileError(ENOTSOCK, "set the mode of", full);
  if (chmod(absl::StrCat("/proc/self/fd/", node.get()).c_str(), 0666) != 0) {
    return FileError(errno, "set the mode of", full);
  }
  return absl::OkStatus();
}

absl::StatusOr<UniqueFd> ListenAt(int directory, const std::string& file, const std::string& full) {
  absl::StatusOr<sockaddr_un> address = SocketAddress(directory, file);
  if (!address.ok()) return address.status();
  UniqueFd socket(::socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (!socket) return FileError(errno, "open a socket for", full);
  if (bind(socket.get(), reinterpret_cast<const sockaddr*>(&*address), sizeof(*address)) != 0) {
    return FileError(errno, "make, by way of /proc/self/fd, the socket", full);
  }
  // Before listen() no client can connect, whatever the mode.
  if (absl::Status opened = OpenToAll(directory, file, full); !opened.ok()) return opened;
  // The kernel lowers the length of the queue to net.core.somaxconn.
  if (listen(socket.get(), SOMAXCONN) != 0) return FileError(errno, "listen on", full);
  return socket;
}

}  // namespace

absl::StatusOr<NameListener> NameListener::Listen(const std::string& directory,
                                                  const ServiceName& name) {
  NameListener listener;
  listener.name_ = name.str();
  listener.owner_ = getpid();
  listener.lock_file_ = absl::StrCat(name.FileStem(), ".lock");
  listener.socket_file_ = absl::StrCat(name.FileStem(), ".sock");
  if (absl::Status status = listener.Begin(directory); !status.ok()) {
    return absl::Status(status.code(),
                        absl::StrCat("cannot listen on \"", name.str(), "\": ", status.message()));
  }
  return listener;
}

absl::Status NameListener::Begin(const std::string& directory) {
  directory_ = UniqueFd(open(directory.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!directory_) return FileError(errno, "open the rendezvous directory", directory);
  // systemd-tmpfiles removes old files from /tmp unless their directory is locked. Nothing else
  // depends on this lock, so a failure is ignored.
  (void)flock(directory_.get(), LOCK_SH | LOCK_NB);

  absl::StatusOr<UniqueFd> lock = AcquireNameLock(directory_.get(), directory, lock_file_);
  if (!lock.ok()) return lock.status();
  lock_ = *std::move(lock);  // from here on the destructor removes the files

  const std::string full = absl::StrCat(directory, "/", socket_file_);
  if (absl::Status removed = RemoveStaleSocket(directory_.get(), socket_file_, full);
      !removed.ok()) {
    return removed;
  }
  absl::StatusOr<UniqueFd> socket = ListenAt(directory_.get(), socket_file_, full);
  if (!socket.ok()) return socket.status();
  socket_ = *std::move(socket);
  return absl::OkStatus();
}

NameListener& NameListener::operator=(NameListener&& other) noexcept {
  if (this != &other) {
    Remove();
    name_ = std::move(other.name_);
    socket_file_ = std::move(other.socket_file_);
    lock_file_ = std::move(other.lock_file_);
    owner_ = other.owner_;
    directory_ = std::move(other.directory_);
    lock_ = std::move(other.lock_);
    socket_ = std::move(other.socket_);
  }
  return *this;
}

NameListener::~NameListener() { Remove(); }

void NameListener::Remove() {
  // A forked child's copy removes nothing. Neither does an owner whose lock file was removed: the
  // files may be a successor's.
  if (!lock_ || owner_ != getpid() || !OwnsName(directory_.get(), lock_file_, lock_.get())) return;
  if (IsSocket(directory_.get(), socket_file_)) {
    unlinkat(directory_.get(), socket_file_.c_str(), 0);
  }
  unlinkat(directory_.get(), lock_file_.c_str(), 0);
  // Now the name is free and its files may be a successor's. The members' destructors close lock
  // and socket; clients in the socket's queue see end-of-file.
}

absl::StatusOr<UniqueFd> NameListener::Accept() {
  for (;;) {
    UniqueFd connection(accept4(socket_.get(), nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC));
    if (connection) return connection;
    switch (errno) {
      case EINTR:
      case ECONNABORTED:  // that client has gone
        continue;
      case EAGAIN:
        return UniqueFd();
      case EMFILE:
      case ENFILE:
        return absl::ResourceExhaustedError(
            absl::StrCat("no file descriptor left to accept a connection to \"", name_,
                         "\"; raise the limit (ulimit -n) or lower max_connections"));
      case ENOMEM:
      case ENOBUFS:
        return absl::ResourceExhaustedError(
            absl::StrCat("no kernel memory left to accept a connection to \"", name_, "\""));
      default:
        return absl::ErrnoToStatus(errno,
                                   absl::StrCat("cannot accept a connection to \"", name_, "\""));
    }
  }
}

}  // namespace grpc_cxl::internal
