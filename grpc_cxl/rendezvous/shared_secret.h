// SPDX-License-Identifier: Apache-2.0
#ifndef GRPC_CXL_RENDEZVOUS_SHARED_SECRET_H_
#define GRPC_CXL_RENDEZVOUS_SHARED_SECRET_H_

#include <array>
#include <cstdint>
#include <string>

#include "absl/status/statusor.h"
#include "grpc_cxl/rendezvous/handshake_layout.h"

namespace grpc_cxl::internal {

using Nonce = std::array<uint8_t, kNonceBytes>;
using Proof = std::array<uint8_t, kProofBytes>;

Nonce FreshNonce();

// What the two ends of one handshake have in common. A proof is good for it alone.
struct ProofContext {
  std::string name;  // of the service
  Nonce server_nonce{};
  Nonce client_nonce{};
  // So that nobody can pass a proof on between two connections (process_number.h).
  uint64_t server_process = 0;
  uint64_t client_process = 0;
};

// A secret that peers prove to know without showing it: HMAC-SHA256 under the secret, by libcrypto.
// A plain value. Thread-safe.
class SharedSecret {
 public:
  // Reads a file of 16 to 4096 bytes; a newline at its end does not count. NOT_FOUND,
  // PERMISSION_DENIED or FAILED_PRECONDITION, with a text that says what to do, when the file is
  // missing, may be read by everybody or written by its group, or belongs to a user other than our
  // own and root. A user without a number in our user namespace may own it: containers that map
  // their users get such files, and the file's name was chosen by our own user.
  static absl::StatusOr<SharedSecret> Read(const std::string& path);

  enum class Role { kServer, kClient };
  Proof Prove(Role role, const ProofContext& context) const;
  // Whether `proof` is that of the peer in `role`. Takes as long for every wrong one.
  bool Verify(Role role, const ProofContext& context, const Proof& proof) const;

  friend bool operator==(const SharedSecret&, const SharedSecret&) = default;

 private:
  explicit SharedSecret(std::string bytes) : bytes_(std::move(bytes)) {}

  std::string bytes_;
};

}  // namespace grpc_cxl::internal

#endif  // GRPC_CXL_RENDEZVOUS_SHARED_SECRET_H_
