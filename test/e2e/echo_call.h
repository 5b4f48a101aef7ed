// SPDX-License-Identifier: Apache-2.0
#ifndef GRPC_CXL_TEST_E2E_ECHO_CALL_H_
#define GRPC_CXL_TEST_E2E_ECHO_CALL_H_

#include <grpcpp/server_context.h>
#include <grpcpp/support/status.h>

#include <cstdint>
#include <string>

#include "absl/base/thread_annotations.h"
#include "absl/crc/crc32c.h"
#include "absl/functional/function_ref.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"
#include "test/e2e/echo.pb.h"

namespace grpc_cxl::e2e {

// A test's view of the handlers of one service, and its control over them: handlers
// whose script says `wait_at_gate` go on when the gate is opened. Thread-safe.
class ServiceControl {
 public:
  struct Counts {
    int64_t started = 0;    // handlers entered
    int64_t at_gate = 0;    // handlers that came to the gate
    int64_t finished = 0;   // handlers that ended
    int64_t cancelled = 0;  // those of them that saw their call cancelled
    int64_t requests = 0;   // messages read
    int64_t responses = 0;  // messages handed to gRPC for writing
  };

  Counts counts() const {
    absl::MutexLock lock(mu_);
    return counts_;
  }
  void Count(int64_t Counts::*what) {
    absl::MutexLock lock(mu_);
    ++(counts_.*what);
  }
  // True when the counts satisfy `predicate` within `timeout`.
  bool Await(absl::FunctionRef<bool(const Counts&)> predicate,
             absl::Duration timeout = absl::Seconds(20)) const {
    absl::MutexLock lock(mu_);
    auto satisfied = [&]() ABSL_NO_THREAD_SAFETY_ANALYSIS { return predicate(counts_); };
    return mu_.AwaitWithTimeout(absl::Condition(&satisfied), timeout);
  }
  bool AwaitAtGate(int64_t handlers, absl::Duration timeout = absl::Seconds(20)) const {
    return Await([handlers](const Counts& counts) { return counts.at_gate >= handlers; }, timeout);
  }

  void OpenGate() {
    absl::MutexLock lock(mu_);
    open_ = true;
  }
  bool GateOpens(absl::Duration timeout) const {
    absl::MutexLock lock(mu_);
    return mu_.AwaitWithTimeout(absl::Condition(&open_), timeout);
  }

 private:
  mutable absl::Mutex mu_;
  Counts counts_ ABSL_GUARDED_BY(mu_);
  bool open_ ABSL_GUARDED_BY(mu_) = false;
};

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
