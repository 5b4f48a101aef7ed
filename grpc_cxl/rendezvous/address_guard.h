// SPDX-License-Identifier: Apache-2.0
#ifndef GRPC_CXL_RENDEZVOUS_ADDRESS_GUARD_H_
#define GRPC_CXL_RENDEZVOUS_ADDRESS_GUARD_H_

#include <sys/types.h>

#include <cstdint>
#include <optional>

#include "absl/status/status.h"
#include "grpc_cxl/rendezvous/service_name.h"

namespace grpc_cxl::internal {

// Keeps clients out that could not reach a server's network address themselves, but could open the
// files of its entry: on the loopback interface, those of other network namespaces; on a unix
// socket, whose file's and directories' modes say who may, other users. A plain value.
class AddressGuard {
 public:
  // For an address that the calling thread listens on, by its name; admits all to other names.
  explicit AddressGuard(const ServiceName& name);

  // The client, which runs as `uid`, at the other end of a socket that was accepted. Else
  // PERMISSION_DENIED with a sentence for it.
  absl::Status Admits(int socket, uid_t uid) const;

 private:
  enum class Kind { kOpen, kUnixSocket, kLoopback };
  static Kind KindOf(const ServiceName& name);

  Kind kind_;
  std::optional<uint64_t> network_;  // of kLoopback: our network namespace, if the kernel tells
};

}  // namespace grpc_cxl::internal

#endif  // GRPC_CXL_RENDEZVOUS_ADDRESS_GUARD_H_
