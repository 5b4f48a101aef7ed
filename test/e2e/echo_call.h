#ifndef GRPC_CXL_TEST_E2E_ECHO_CALL_H_
#define GRPC_CXL_TEST_E2E_ECHO_CALL_H_

#include <grpcpp/server_context.h>
#include <grpcpp/support/status.h>

#include <cstdint>
#include <string>

#include "absl/crc/crc32c.h"
#include "test/e2e/echo.pb.h"
#include "test/e2e/service_control.h"

namespace grpc_cxl::e2e {

// `size` bytes that do not compress well and differ for each `seed`.
std::string Pattern(size_t size, uint64_t seed = 0);

// What the handlers of the three server APIs have in common: one call, played by its
// script. Client metadata whose key starts with "initial-" or "trailing-" is sent back
// as such. Lives as long as the handler; one thread at a time.
class EchoCall {
 public:
  EchoCall(ServiceControl* control, grpc::ServerContextBase* context);
  EchoCall(const EchoCall&) = delete;
  EchoCall& operator=(const EchoCall&) = delete;
  ~EchoCall();

  // Takes the next request in.
  void Add(const EchoRequest& request);

  // Whether the handler has to wait at the gate now; then it must, before it goes on.
  bool MustWait() const;
  // For handlers that may block. False when the call was cancelled instead.
  bool WaitAtGate();

  // The next response.
  EchoResponse Respond();
  // How many responses ServerStream gives in all.
  uint32_t responses_wanted() const { return script_.response_count(); }

  grpc::Status Finish() const;

 private:
  CallView View() const;

  ServiceControl* const control_;
  grpc::ServerContextBase* const context_;
  Script script_;
  std::string payload_;
  uint32_t requests_ = 0;
  uint32_t responses_ = 0;
  absl::crc32c_t checksum_{0};
};

}  // namespace grpc_cxl::e2e

#endif  // GRPC_CXL_TEST_E2E_ECHO_CALL_H_
