// SPDX-License-Identifier: Apache-2.0
#ifndef GRPC_CXL_EXAMPLES_HOTEL_RESERVATION_SERVICES_SERVICE_MAIN_H_
#define GRPC_CXL_EXAMPLES_HOTEL_RESERVATION_SERVICES_SERVICE_MAIN_H_

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "examples/hotel_reservation/services/services.h"

namespace grpc {
class Server;
}

namespace hotel_reservation {

// One of the eight services, as a program or in one.
struct ServiceProgram {
  std::string name;  // one of kServices
  std::function<ServiceOr(const Environment&)> make;

  // Called once the server runs; the result lives until the server shuts down. May be empty.
  std::function<absl::StatusOr<std::shared_ptr<void>>(grpc::Server&)> started;
};

// The main() of services: each serves at the address that --transport and --base give it, with
// gRPC's health and reflection services, until SIGINT or SIGTERM. Prints "NAME listens on ADDRESS"
// once it listens. Returns 1, with the reason on stderr, when it cannot.
// Of several, those that call others come after them.
int ServiceMain(int argc, char** argv, const std::vector<ServiceProgram>& programs);

}  // namespace hotel_reservation

#endif  // GRPC_CXL_EXAMPLES_HOTEL_RESERVATION_SERVICES_SERVICE_MAIN_H_
