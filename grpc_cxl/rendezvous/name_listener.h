// SPDX-License-Identifier: Apache-2.0
#ifndef GRPC_CXL_RENDEZVOUS_NAME_LISTENER_H_
#define GRPC_CXL_RENDEZVOUS_NAME_LISTENER_H_

#include <sys/types.h>

#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "grpc_cxl/base/unique_fd.h"
#include "grpc_cxl/rendezvous/name_socket.h"
#include "grpc_cxl/rendezvous/rendezvous_directory.h"
#include "grpc_cxl/rendezvous/service_name.h"
#include "grpc_cxl/rendezvous/take_over.h"

namespace grpc_cxl::internal {

// A name registered in a rendezvous directory: a listening unix socket `<stem>.sock` and
// beside it `<stem>.lock`, which holds the owner's pid and is locked (flock) for as long
// as the owner lives. The kernel drops the lock with the process, so a name whose owner
// was killed can be taken over at once and without a race.
//
// Both files are removed by the destructor. Move-only, not thread-safe. Costs three file
// descriptors: the socket, the lock and the directory.
//
// Any user who may enter the directory may connect (the socket's mode is 0666). The handshake
// checks the peer's uid and refuses with a reason; a narrower mode would only say "permission
// denied", and would shut out TrustedUsers::allowed_uids.
//
// A child forked without exec inherits lock and socket, and so keeps the name taken while
// it lives; its copy of this object removes nothing.
class NameListener {
 public:
  // ALREADY_EXISTS naming the owner's pid (as the owner's pid namespace numbers it) when
  // another process or this one serves the name; PERMISSION_DENIED or NOT_FOUND when the
  // directory cannot be written or is gone; FAILED_PRECONDITION when another kind of file
  // has the name of the socket or the lock file.
  static absl::StatusOr<NameListener> Listen(const RendezvousDirectory& directory,
                                             const ServiceName& name);

  // As a replica of the name: serves the replica's name with the lowest free number, and shares
  // the service name's lock. ALREADY_EXISTS: a server that is no replica serves the name;
  // RESOURCE_EXHAUSTED: there are kMostReplicas.
  static absl::StatusOr<NameListener> ListenAsReplica(const RendezvousDirectory& directory,
                                                      const ServiceName& service);

  // A name that is not owned yet: Adopt() or Restore() makes it ours. INVALID_ARGUMENT: see
  // CheckLength().
  static absl::StatusOr<NameListener> Prepare(const RendezvousDirectory& directory,
                                              const ServiceName& name);
  // Makes the name ours that its owner has given us. FAILED_PRECONDITION: it gave something else.
  absl::Status Adopt(const RendezvousDirectory& directory, TakenName taken);
  // Gives the name to the successor at the other end of `socket`. Errors as SendName(), and
  // FAILED_PRECONDITION for a replica; after OK there is nothing to accept or restore any more.
  absl::Status HandOver(int socket);

  NameListener(NameListener&&) noexcept = default;
  NameListener& operator=(NameListener&& other) noexcept;
  ~NameListener();

  // The replica's, if it is one.
  const std::string& name() const { return name_; }

  // Makes anew what was removed or replaced by hand. `directory` is what the directory's path leads
  // to now. Errors as Listen(); ALREADY_EXISTS: another server has taken the name. After an error,
  // call again later: the name may be free then.
  //
  // After kSocket fd() is another socket; the one before stays open until DropRetired(), so that a
  // poller can forget it first.
  enum class Restored { kNothing, kLock, kSocket };
  absl::StatusOr<Restored> Restore(const RendezvousDirectory& directory);

  // Closes the socket before this one: its clients see end-of-file and come again.
  void DropRetired() { retired_ = {}; }

  // False in a forked child, whose copy restores and removes nothing.
  bool IsOwner() const;

  // The opened directory.
  int directory() const { return directory_.get(); }

  // Non-blocking; readable when a client wants to connect.
  int fd() const { return socket_.fd(); }

  // The next connection (non-blocking, close-on-exec), or an empty UniqueFd when no client
  // waits. RESOURCE_EXHAUSTED when this process has no file descriptor left.
  absl::StatusOr<UniqueFd> Accept();

 private:
  NameListener() = default;
  absl::StatusOr<Restored> RestoreIn(const RendezvousDirectory& directory);
  absl::Status OpenDirectory(const RendezvousDirectory& directory);
  // Makes sure of the lock that a replica shares.
  absl::Status Share(const RendezvousDirectory& directory);
  // Says of a name that is taken what replicas have to do with it.
  absl::Status WithHint(const RendezvousDirectory& directory, const absl::Status& status) const;
  void Remove();
  void RemoveFiles();  // those of the name itself

  std::string name_;
  std::string socket_file_;
  std::string lock_file_;
  pid_t owner_ = 0;
  UniqueFd directory_;
  UniqueFd lock_;
  std::string shared_stem_;  // of the service name's files; empty: no replica
  UniqueFd shared_lock_;
  NameSocket socket_;
  NameSocket retired_;  // the one before
};

}  // namespace grpc_cxl::internal

#endif  // GRPC_CXL_RENDEZVOUS_NAME_LISTENER_H_
