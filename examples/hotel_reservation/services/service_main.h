// SPDX-License-Identifier: Apache-2.0
#ifndef GRPC_CXL_EXAMPLES_HOTEL_RESERVATION_SERVICES_SERVICE_MAIN_H_
#define GRPC_CXL_EXAMPLES_HOTEL_RESERVATION_SERVICES_SERVICE_MAIN_H_

#include <functional>
#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "examples/hotel_reservation/services/services.h"

namespace grpc {
class Server;
}

namespace hotel_reservation {

// One of the eight programs.
struct ServiceProgram {
  std::string name;  // one of kServices
  std::function<ServiceOr(const Environment&)> make;

  // Called once the server runs; what it returns lives until the server is shut down. May
  // be empty.
  std::function<absl::StatusOr<std::shared_ptr<void>>(grpc::Server&)> started;
};

// The whole of main(): serves at its address in --transport and --base, with gRPC's health
// and reflection services, until SIGINT or SIGTERM. Prints "NAME listens on ADDRESS" once it
// does. Returns 1, with a sentence on stderr, when it cannot serve.
int ServiceMain(int argc, char** argv, const ServiceProgram& program);

}  // namespace hotel_reservation

#endif  // GRPC_CXL_EXAMPLES_HOTEL_RESERVATION_SERVICES_SERVICE_MAIN_H_
