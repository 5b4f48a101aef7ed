// SPDX-License-Identifier: Apache-2.0
#ifndef GRPC_CXL_EXAMPLES_HOTEL_RESERVATION_LAUNCHER_RESERVED_PORTS_H_
#define GRPC_CXL_EXAMPLES_HOTEL_RESERVATION_LAUNCHER_RESERVED_PORTS_H_

#include <vector>

#include "absl/status/statusor.h"

namespace hotel_reservation {

// Consecutive TCP ports of 127.0.0.1 that no other program gets while this object lives: a socket
// is bound to each, but does not listen. gRPC's servers of the same user can listen there, because
// both set SO_REUSEPORT. Move-only.
class ReservedPorts {
 public:
  static absl::StatusOr<ReservedPorts> Take(int count);
  ReservedPorts(ReservedPorts&& other) noexcept = default;
  ~ReservedPorts();

  int first() const { return first_; }

 private:
  ReservedPorts() = default;
  bool Bind(int port);  // 0: any port, which becomes first()

  int first_ = 0;
  std::vector<int> sockets_;
};

}  // namespace hotel_reservation

#endif  // GRPC_CXL_EXAMPLES_HOTEL_RESERVATION_LAUNCHER_RESERVED_PORTS_H_
