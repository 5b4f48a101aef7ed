// SPDX-License-Identifier: Apache-2.0
#ifndef GRPC_CXL_RENDEZVOUS_TAKE_OVER_H_
#define GRPC_CXL_RENDEZVOUS_TAKE_OVER_H_

#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "grpc_cxl/base/unique_fd.h"
#include "grpc_cxl/rendezvous/rendezvous_directory.h"
#include "grpc_cxl/rendezvous/service_name.h"
#include "grpc_cxl/rendezvous/trusted_users.h"

// How a name passes from its owner to a successor (take_over_layout.h). The locked file and the
// listening socket themselves pass, clients in the socket's queue included, so at no time has the
// name no owner, or a client no socket to connect to.
//
// The name passes in one step: the kernel puts the owner's last message into the successor's queue,
// or fails. Whoever dies before that, the owner still has the name; after that it is the
// successor's, and free if that dies.
namespace grpc_cxl::internal {

// What makes a process the owner of a name.
struct TakenName {
  UniqueFd lock;    // see name_lock.h
  UniqueFd socket;  // listens
};

// The successor's side; also tells the owner, as long as it lives, that the successor does. Not
// thread-safe.
class TakeOver {
 public:
  // Asks the owner for its name; both must be of one user. Blocks for up to a second. UNAVAILABLE:
  // the owner has just left; ALREADY_EXISTS: it keeps its name, with the reason.
  static absl::StatusOr<TakeOver> Ask(const RendezvousDirectory& directory, const ServiceName& name,
                                      const TrustedUsers& users);

  // Takes the name. Blocks for up to a second. UNAVAILABLE: the owner has left without giving its
  // name to us, or it does not answer and keeps it.
  absl::StatusOr<TakenName> Take();

 private:
  explicit TakeOver(UniqueFd socket) : socket_(std::move(socket)) {}

  UniqueFd socket_;
};

// The owner's side. Nothing here blocks.

// Says yes to a successor that asks (ClientHello::takes_over). No is SendRefusal().
absl::Status SendWilling(int socket);
// Whether the successor is ready; false: not yet. UNAVAILABLE: it has gone.
absl::StatusOr<bool> ReceiveNow(int socket);
// OK: the name is the successor's. Otherwise nothing has changed.
absl::Status SendName(int socket, int lock, int listening_socket);

}  // namespace grpc_cxl::internal

#endif  // GRPC_CXL_RENDEZVOUS_TAKE_OVER_H_
