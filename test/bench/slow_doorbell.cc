// SPDX-License-Identifier: Apache-2.0
// Linked with --wrap for DoorbellWaker::Wake(): every wake-up takes 20 us longer, whether the
// peer sleeps or not. The product's sources know nothing of it. Should Wake() get another
// name or signature, this no longer links.

#include <chrono>

#include "grpc_cxl/doorbell/doorbell.h"

extern "C" {

// bool grpc_cxl::internal::DoorbellWaker::Wake(), by the names that --wrap gives the two.
bool __real__ZN8grpc_cxl8internal13DoorbellWaker4WakeEv(grpc_cxl::internal::DoorbellWaker* self);

bool __wrap__ZN8grpc_cxl8internal13DoorbellWaker4WakeEv(grpc_cxl::internal::DoorbellWaker* self) {
  using Clock = std::chrono::steady_clock;
  const Clock::time_point end = Clock::now() + std::chrono::microseconds(20);
  while (Clock::now() < end) {
  }
  return __real__ZN8grpc_cxl8internal13DoorbellWaker4WakeEv(self);
}

}  // extern "C"
