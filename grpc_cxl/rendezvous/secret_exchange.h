// SPDX-License-Identifier: Apache-2.0
#ifndef GRPC_CXL_RENDEZVOUS_SECRET_EXCHANGE_H_
#define GRPC_CXL_RENDEZVOUS_SECRET_EXCHANGE_H_

#include <string>
#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "grpc_cxl/rendezvous/shared_secret.h"

// The part of the handshake between Hello and Welcome in which both ends prove that they know a
// secret (handshake_layout.h). The client proves first. Rules as in handshake.h: nothing blocks,
// nothing is received that has file descriptors, and after an error, close the socket.
//
// A proof counts for one connection between two processes, so that a third one in the middle can
// pass nothing on (before Linux 6.9 it can: process_number.h). What comes later is neither signed
// nor encrypted: the kernel carries it.
namespace grpc_cxl::internal {

class ServerExchange {
 public:
  // `name` is the service's.
  ServerExchange(const SharedSecret& secret, std::string name)
      : secret_(secret), context_{.name = std::move(name)} {}

  absl::Status SendChallenge(int socket);

  // False: the client's proof has not come yet; true: it was good, and has been answered with our
  // own. PERMISSION_DENIED (another secret) or FAILED_PRECONDITION (no proof at all): the client
  // has been sent the reason.
  absl::StatusOr<bool> ReceiveProof(int socket);

 private:
  const SharedSecret secret_;
  ProofContext context_;
};

class ClientExchange {
 public:
  ClientExchange(const SharedSecret& secret, std::string name)
      : secret_(secret), context_{.name = std::move(name)} {}

  // Takes what has come and answers it. True: the server has proved that it knows the secret, and
  // its Welcome is next. Errors as ReceiveWelcome(); PERMISSION_DENIED also when the server has no
  // secret or another.
  absl::StatusOr<bool> Advance(int socket);

 private:
  absl::Status Answer(int socket);

  const SharedSecret secret_;
  ProofContext context_;
  bool proved_ = false;  // our own proof has been sent
};

}  // namespace grpc_cxl::internal

#endif  // GRPC_CXL_RENDEZVOUS_SECRET_EXCHANGE_H_
