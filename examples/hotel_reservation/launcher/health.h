// SPDX-License-Identifier: Apache-2.0
#ifndef GRPC_CXL_EXAMPLES_HOTEL_RESERVATION_LAUNCHER_HEALTH_H_
#define GRPC_CXL_EXAMPLES_HOTEL_RESERVATION_LAUNCHER_HEALTH_H_

#include <memory>

#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "examples/hotel_reservation/services/address_book.h"

namespace hotel_reservation {

// Asks a service by gRPC's health checking protocol whether it serves.
class HealthProbe {
 public:
  HealthProbe(const AddressBook& addresses, absl::string_view service);
  ~HealthProbe();

  // Waits up to `timeout` for a connection and for the answer.
  bool Serving(absl::Duration timeout);

 private:
  struct Impl;
  const std::unique_ptr<Impl> impl_;
};

}  // namespace hotel_reservation

#endif  // GRPC_CXL_EXAMPLES_HOTEL_RESERVATION_LAUNCHER_HEALTH_H_
