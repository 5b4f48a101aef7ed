// SPDX-License-Identifier: Apache-2.0
#ifndef GRPC_CXL_EXAMPLES_HOTEL_RESERVATION_LOAD_GENERATOR_SERVICES_USAGE_H_
#define GRPC_CXL_EXAMPLES_HOTEL_RESERVATION_LOAD_GENERATOR_SERVICES_USAGE_H_

#include <cstdint>
#include <memory>
#include <optional>

#include "examples/hotel_reservation/services/address_book.h"

namespace hotel_reservation {

// Reads counters of the eight services. Used by one thread.
class ServicesUsage {
 public:
  struct Difference {
    int64_t cpu_ns = 0;         // of all eight
    int64_t backend_calls = 0;  // served by the seven behind the frontend
  };

  explicit ServicesUsage(const AddressBook& addresses);
  ~ServicesUsage();

  void Start();

  // The differences since Start(); nullopt when a service did not answer then, which is not waited
  // for again, or now, or was started again.
  std::optional<Difference> SinceStart();

 private:
  struct Impl;
  const std::unique_ptr<Impl> impl_;
};

}  // namespace hotel_reservation

#endif  // GRPC_CXL_EXAMPLES_HOTEL_RESERVATION_LOAD_GENERATOR_SERVICES_USAGE_H_
