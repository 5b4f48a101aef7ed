// SPDX-License-Identifier: Apache-2.0
#ifndef GRPC_CXL_TEST_E2E_ECHO_SERVICE_H_
#define GRPC_CXL_TEST_E2E_ECHO_SERVICE_H_

#include <grpcpp/server.h>
#include <grpcpp/server_builder.h>

#include <memory>
#include <ostream>
#include <string>

#include "test/e2e/echo_call.h"

namespace grpc_cxl::e2e {

// The three ways in which gRPC lets a service be written.
enum class ServerApi { kSync, kCallback, kCompletionQueue };
inline constexpr ServerApi kAllServerApis[] = {ServerApi::kSync, ServerApi::kCallback,
                                               ServerApi::kCompletionQueue};

std::string Name(ServerApi api);
inline std::ostream& operator<<(std::ostream& out, ServerApi api) { return out << Name(api); }

// The Echo service in one of these ways. Usage: Register(), build the server, Start();
// shut the server down, Stop(); the server must be gone before this object.
class EchoService {
 public:
  static std::unique_ptr<EchoService> Make(ServerApi api);
  virtual ~EchoService() = default;

  virtual void Register(grpc::ServerBuilder* builder) = 0;
  virtual void Start() {}
  virtual void Stop() {}

  ServiceControl& control() { return control_; }

 protected:
  // How a handler ends whose caller has gone.
  static grpc::Status Gone() { return {grpc::StatusCode::CANCELLED, "the caller has gone"}; }

  ServiceControl control_;
};

// Make(), for two of the APIs.
std::unique_ptr<EchoService> MakeCallbackEchoService();
std::unique_ptr<EchoService> MakeCompletionQueueEchoService();

}  // namespace grpc_cxl::e2e

#endif  // GRPC_CXL_TEST_E2E_ECHO_SERVICE_H_
