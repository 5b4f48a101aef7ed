#include "test/e2e/service_control.h"

#include <utility>

namespace grpc_cxl::e2e {

ServiceControl::Counts ServiceControl::counts() const {
  absl::MutexLock lock(mu_);
  return counts_;
}

void ServiceControl::Count(int64_t Counts::*what) {
  absl::MutexLock lock(mu_);
  ++(counts_.*what);
}

bool ServiceControl::Await(absl::FunctionRef<bool(const Counts&)> predicate,
                           absl::Duration timeout) const {
  absl::MutexLock lock(mu_);
  auto satisfied = [&]() ABSL_NO_THREAD_SAFETY_ANALYSIS { return predicate(counts_); };
  return mu_.AwaitWithTimeout(absl::Condition(&satisfied), timeout);
}

void ServiceControl::OpenGate() {
  std::map<int64_t, std::function<void()>> waiting;
  {
    absl::MutexLock lock(mu_);
    open_ = true;
    waiting.swap(waiting_);
  }
  for (auto& [ticket, then] : waiting) then();
}

bool ServiceControl::GateOpens(absl::Duration timeout) const {
  absl::MutexLock lock(mu_);
  return mu_.AwaitWithTimeout(absl::Condition(&open_), timeout);
}

std::optional<int64_t> ServiceControl::WhenGateOpens(std::function<void()> then) {
  absl::MutexLock lock(mu_);
  if (open_) return std::nullopt;
  waiting_.emplace(next_ticket_, std::move(then));
  return next_ticket_++;
}

bool ServiceControl::Forget(int64_t ticket) {
  absl::MutexLock lock(mu_);
  return waiting_.erase(ticket) > 0;
}

}  // namespace grpc_cxl::e2e
