// SPDX-License-Identifier: Apache-2.0
#ifndef GRPC_CXL_WAIT_POLICY_H_
#define GRPC_CXL_WAIT_POLICY_H_

namespace grpc_cxl {

// How a thread waits for the other process to publish something.
enum class WaitPolicy {
  kAdaptive,  // spin for as long as has been cheapest lately, then sleep
  kSpin,      // spin for the whole budget every time, then sleep
  kPark,      // sleep at once
};

}  // namespace grpc_cxl

#endif  // GRPC_CXL_WAIT_POLICY_H_
