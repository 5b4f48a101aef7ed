// SPDX-License-Identifier: Apache-2.0
#ifndef GRPC_CXL_DIRECT_THREAD_SPIN_H_
#define GRPC_CXL_DIRECT_THREAD_SPIN_H_

#include <cstddef>
#include <unordered_map>
#include <utility>

#include "grpc_cxl/direct/direct_channel.h"
#include "grpc_cxl/doorbell/spin_budget.h"

namespace grpc_cxl::internal {

// The budget of this thread's waits on a channel.
inline SpinBudget& ThreadSpin(const DirectChannel& channel) {
  constexpr size_t kMost = 64;  // beyond it, budgets start anew
  thread_local std::unordered_map<const DirectChannel*, std::pair<WaitTerms, SpinBudget>> budgets;
  if (budgets.size() > kMost) budgets.clear();
  auto& [terms, budget] =
      budgets.try_emplace(&channel, channel.wait, SpinBudget(channel.wait)).first->second;
  // Another channel had this address before.
  if (terms != channel.wait) budget = SpinBudget(terms = channel.wait);
  return budget;
}

}  // namespace grpc_cxl::internal

#endif  // GRPC_CXL_DIRECT_THREAD_SPIN_H_
