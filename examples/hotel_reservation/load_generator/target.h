// SPDX-License-Identifier: Apache-2.0
#ifndef GRPC_CXL_EXAMPLES_HOTEL_RESERVATION_LOAD_GENERATOR_TARGET_H_
#define GRPC_CXL_EXAMPLES_HOTEL_RESERVATION_LOAD_GENERATOR_TARGET_H_

#include <memory>
#include <string>

#include "absl/functional/any_invocable.h"
#include "absl/status/status.h"
#include "absl/time/time.h"
#include "examples/hotel_reservation/load_generator/request_mix.h"
#include "examples/hotel_reservation/services/address_book.h"
#include "grpc_cxl/priority_level.h"

namespace hotel_reservation {

// The frontend as the load generator sees it. One thread calls Send(), also while other requests
// are in flight; `done` runs once, on any thread.
class Target {
 public:
  using Done = absl::AnyInvocable<void(absl::Status)>;

  virtual ~Target() = default;  // REQUIRES: no request is in flight
  virtual void Send(const FrontendRequest& request, Done done) = 0;
};

// The Frontend service over `connections` channels, with the callback API. Requests have a
// `deadline` and a `priority`.
std::unique_ptr<Target> GrpcTarget(const AddressBook& addresses, int connections,
                                   absl::Duration deadline,
                                   grpc_cxl::Priority priority = grpc_cxl::Priority::kDefault);

// The same service as HTTP/JSON at `address` (HOST:PORT), over up to `connections` connections. A
// request waits for a free connection.
std::unique_ptr<Target> HttpTarget(const std::string& address, int connections,
                                   absl::Duration deadline);

}  // namespace hotel_reservation

#endif  // GRPC_CXL_EXAMPLES_HOTEL_RESERVATION_LOAD_GENERATOR_TARGET_H_
