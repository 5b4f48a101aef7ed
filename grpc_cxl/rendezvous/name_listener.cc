// SPDX-License-Identifier: Apache-2.0
#include "grpc_cxl/rendezvous/name_listener.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <string>
#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "grpc_cxl/base/steady_clock.h"
#include "grpc_cxl/rendezvous/file_error.h"
#include "grpc_cxl/rendezvous/name_files.h"
#include "grpc_cxl/rendezvous/name_lock.h"
#include "grpc_cxl/rendezvous/replica_name.h"

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
// A lock file that was removed by hand leaves a living owner without a lock at its path. A
// newcomer can then lock a new file, but finds that the socket is connected to (name_socket.h),
// removes its lock file and gives up; the owner locks a new one. When the socket was removed as
// well, the first to lock a new file owns the name; the other learns it in Restore().
//
// A name that is handed over (take_over.h) keeps both files, and changes hands between two steps:
// so the states above are those of its new owner.
//
// A replica has these files under its own name, and its service name's lock besides, which it takes
// first and gives up last. Killed in between it leaves one more file, unlocked, which is no name's.
//
// Remove() takes the socket away first and the lock file last. The other way round, a
// successor could lock a new file and bind its socket between the two, and the second
// step would remove the successor's socket.
namespace grpc_cxl::internal {
namespace {

bool IsSameFile(int a, int b) {
  struct stat first, second;
  return fstat(a, &first) == 0 && fstat(b, &second) == 0 && first.st_dev == second.st_dev &&
         first.st_ino == second.st_ino;
}

}  // namespace

absl::StatusOr<NameListener> NameListener::Prepare(const RendezvousDirectory& directory,
                                                   const ServiceName& name) {
  NameListener listener;
  listener.name_ = name.str();
  listener.owner_ = getpid();
  if (absl::Status status = CheckLength(name, directory.rollout()); !status.ok()) return status;
  listener.lock_file_ = absl::StrCat(FileStem(directory, name), ".lock");
  listener.socket_file_ = absl::StrCat(FileStem(directory, name), ".sock");
  return listener;
}

absl::StatusOr<NameListener> NameListener::Listen(const RendezvousDirectory& directory,
                                                  const ServiceName& name) {
  absl::StatusOr<NameListener> listener = Prepare(directory, name);
  if (!listener.ok()) return listener.status();
  const absl::StatusOr<Restored> begun = listener->Restore(directory);
  if (!begun.ok()) return begun.status();
  return listener;
}

absl::StatusOr<NameListener> NameListener::ListenAsReplica(const RendezvousDirectory& directory,
                                                           const ServiceName& service) {
  constexpr int64_t kPatienceNs = 5'000'000'000;  // others' sockets may make each number take long
  const int64_t began_ns = SteadyNs();
  UniqueFd shared;
  absl::Status last;
  for (int number = 0; number < kMostReplicas && SteadyNs() - began_ns < kPatienceNs; ++number) {
    absl::StatusOr<NameListener> listener = Prepare(directory, ReplicaName(service, number));
    if (!listener.ok()) return listener.status();
    if (absl::Status opened = listener->OpenDirectory(directory); !opened.ok()) return opened;
    listener->shared_stem_ = FileStem(directory, service);
    listener->shared_lock_ = std::move(shared);
    const absl::StatusOr<Restored> begun = listener->Restore(directory);
    if (begun.ok()) return listener;
    shared = std::move(listener->shared_lock_);
    // With the shared lock, it is this number that is taken, or whose files are another user's.
    if (!shared) return begun.status();
    last = begun.status();
  }
  if (!absl::IsAlreadyExists(last)) return last;
  return absl::ResourceExhaustedError(absl::StrCat("cannot listen on \"", service.str(),
                                                   "\": it has as many replicas as it may (",
                                                   kMostReplicas, "); stop some"));
}

absl::Status NameListener::Adopt(const RendezvousDirectory& directory, TakenName taken) {
  if (absl::Status opened = OpenDirectory(directory); !opened.ok()) return opened;
  // The owner may have given its lock away twice, or another file.
  if (!OwnsName(directory_.get(), lock_file_, taken.lock.get()) ||
      flock(taken.lock.get(), LOCK_EX | LOCK_NB) != 0) {
    return absl::FailedPreconditionError("the owner gave another file than the name's lock");
  }
  absl::StatusOr<NameSocket> socket =
      NameSocket::Adopt(directory_.get(), socket_file_, std::move(taken.socket));
  if (!socket.ok()) return socket.status();
  lock_ = std::move(taken.lock);
  socket_ = *std::move(socket);
  // For people only.
  WriteOwnPid(lock_.get(), absl::StrCat(directory.path(), "/", lock_file_)).IgnoreError();
  return absl::OkStatus();
}

absl::Status NameListener::HandOver(int socket) {
  if (!shared_stem_.empty()) return absl::FailedPreconditionError("it is a replica");
  if (!lock_ || !IsOwner() || !OwnsName(directory_.get(), lock_file_, lock_.get()) ||
      !socket_.IsAt(directory_.get(), socket_file_)) {
    return absl::FailedPreconditionError("its files were removed");
  }
  if (absl::Status sent = SendName(socket, lock_.get(), socket_.fd()); !sent.ok()) return sent;
  lock_.Reset();  // from here on the destructor removes nothing
  retired_ = std::move(socket_);
  socket_ = {};
  return absl::OkStatus();
}

absl::StatusOr<NameListener::Restored> NameListener::Restore(const RendezvousDirectory& directory) {
  const absl::StatusOr<Restored> restored = RestoreIn(directory);
  if (restored.ok()) return restored;
  return absl::Status(restored.status().code(), absl::StrCat("cannot listen on \"", name_,
                                                             "\": ", restored.status().message()));
}

absl::StatusOr<NameListener::Restored> NameListener::RestoreIn(
    const RendezvousDirectory& directory) {
  Restored restored = Restored::kNothing;
  if (!IsOwner()) return restored;
  if (absl::Status opened = OpenDirectory(directory); !opened.ok()) return opened;
  if (absl::Status shared = Share(directory); !shared.ok()) return shared;
  if (!lock_ || !OwnsName(directory_.get(), lock_file_, lock_.get())) {
    absl::StatusOr<UniqueFd> lock = AcquireNameLock(directory_.get(), directory.path(), lock_file_);
    if (!lock.ok()) return WithHint(directory, lock.status());
    lock_ = *std::move(lock);  // from here on the destructor removes the files
    restored = Restored::kLock;
  }
  if (!socket_.IsAt(directory_.get(), socket_file_)) {
    absl::StatusOr<NameSocket> socket = NameSocket::Listen(
        directory_.get(), socket_file_, absl::StrCat(directory.path(), "/", socket_file_));
    if (!socket.ok()) {
      RemoveFiles();  // the lock, so that the process that listens can restore its own
      return socket.status();
    }
    retired_ = std::exchange(socket_, *std::move(socket));
    restored = Restored::kSocket;
  }
  return restored;
}

absl::Status NameListener::WithHint(const RendezvousDirectory& directory,
                                    const absl::Status& status) const {
  if (!absl::IsAlreadyExists(status) || !shared_stem_.empty() ||
      FindReplicas(directory, ServiceName::Reserved(name_)).empty()) {
    return status;
  }
  return absl::AlreadyExistsError(
      absl::StrCat(status.message(),
                   "; or start this server as one more replica (ServerOptions::replicas), for "
                   "the name has or had replicas"));
}

absl::Status NameListener::Share(const RendezvousDirectory& directory) {
  if (shared_stem_.empty()) return absl::OkStatus();
  const std::string file = absl::StrCat(shared_stem_, ".lock");
  if (shared_lock_ && OwnsName(directory_.get(), file, shared_lock_.get())) return absl::OkStatus();
  absl::StatusOr<UniqueFd> lock = ShareNameLock(directory_.get(), directory.path(), file);
  if (!lock.ok()) return lock.status();
  // Clients look for it first.
  const std::string socket = absl::StrCat(shared_stem_, ".sock");
  absl::Status removed =
      NameSocket::RemoveDead(directory_.get(), socket, absl::StrCat(directory.path(), "/", socket));
  if (removed.ok()) shared_lock_ = *std::move(lock);
  return removed;
}

absl::Status NameListener::OpenDirectory(const RendezvousDirectory& directory) {
  if (directory_ && IsSameFile(directory.fd(), directory_.get())) return absl::OkStatus();
  UniqueFd opened(openat(directory.fd(), ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!opened) return FileError(errno, "open the rendezvous directory", directory.path());
  // systemd-tmpfiles removes old files from /tmp unless their directory is locked. Nothing else
  // depends on this lock, so a failure is ignored.
  (void)flock(opened.get(), LOCK_SH | LOCK_NB);
  Remove();  // from where the directory is now, if it was moved
  directory_ = std::move(opened);
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
    shared_stem_ = std::move(other.shared_stem_);
    shared_lock_ = std::move(other.shared_lock_);
    socket_ = std::move(other.socket_);
    retired_ = std::move(other.retired_);
  }
  return *this;
}

NameListener::~NameListener() { Remove(); }

void NameListener::Remove() {
  RemoveFiles();
  if (shared_lock_ && IsOwner()) {
    LeaveNameLock(directory_.get(), absl::StrCat(shared_stem_, ".lock"), std::move(shared_lock_));
  }
}

void NameListener::RemoveFiles() {
  // A forked child's copy removes nothing. Neither does an owner whose lock file was removed: the
  // files may be a successor's.
  if (!lock_ || !IsOwner() || !OwnsName(directory_.get(), lock_file_, lock_.get())) return;
  if (socket_.IsAt(directory_.get(), socket_file_)) {
    unlinkat(directory_.get(), socket_file_.c_str(), 0);
  }
  unlinkat(directory_.get(), lock_file_.c_str(), 0);
  // Now the name is free and its files may be a successor's. Clients in the socket's queue see
  // end-of-file when the members' destructors close it.
}

bool NameListener::IsOwner() const { return owner_ == getpid(); }

absl::StatusOr<UniqueFd> NameListener::Accept() {
  for (;;) {
    UniqueFd connection(accept4(socket_.fd(), nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC));
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
