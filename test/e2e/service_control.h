#ifndef GRPC_CXL_TEST_E2E_SERVICE_CONTROL_H_
#define GRPC_CXL_TEST_E2E_SERVICE_CONTROL_H_

#include <cstdint>
#include <functional>
#include <map>
#include <optional>

#include "absl/base/thread_annotations.h"
#include "absl/functional/function_ref.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"

namespace grpc_cxl::e2e {

// What a test learns of the handlers of one service, and its hold over them: handlers
// whose script says `wait_at_gate` go on when the gate is opened. Thread-safe.
class ServiceControl {
 public:
  struct Counts {
    int64_t started = 0;    // handlers entered
    int64_t at_gate = 0;    // handlers that came to the gate and had to wait
    int64_t finished = 0;   // handlers that ended
    int64_t cancelled = 0;  // those of them that saw their call cancelled
    int64_t requests = 0;   // messages read
    int64_t responses = 0;  // messages handed to gRPC for writing
  };

  Counts counts() const;
  void Count(int64_t Counts::*what);

  // True when the counts satisfy `predicate` within `timeout`.
  bool Await(absl::FunctionRef<bool(const Counts&)> predicate,
             absl::Duration timeout = absl::Seconds(20)) const;

  void OpenGate();
  bool GateOpens(absl::Duration timeout) const;

  // Keeps `then` to be run by OpenGate(), and returns a ticket for it; nullopt when the
  // gate is open already.
  std::optional<int64_t> WhenGateOpens(std::function<void()> then);
  // True when what the ticket stands for has not run and never will.
  bool Forget(int64_t ticket);

 private:
  mutable absl::Mutex mu_;
  Counts counts_ ABSL_GUARDED_BY(mu_);
  bool open_ ABSL_GUARDED_BY(mu_) = false;
  int64_t next_ticket_ ABSL_GUARDED_BY(mu_) = 1;
  std::map<int64_t, std::function<void()>> waiting_ ABSL_GUARDED_BY(mu_);
};

}  // namespace grpc_cxl::e2e

#endif  // GRPC_CXL_TEST_E2E_SERVICE_CONTROL_H_
