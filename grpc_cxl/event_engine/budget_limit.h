// SPDX-License-Identifier: Apache-2.0
#ifndef GRPC_CXL_EVENT_ENGINE_BUDGET_LIMIT_H_
#define GRPC_CXL_EVENT_ENGINE_BUDGET_LIMIT_H_

#include <cstdint>
#include <memory>
#include <utility>

#include "grpc_cxl/base/shared_word.h"
#include "grpc_cxl/blocks/area_limit.h"
#include "grpc_cxl/calls/call_budget.h"
#include "grpc_cxl/event_engine/connection_budget.h"

namespace grpc_cxl::internal {

// The pages of one payload area, taken from the server's budget. Not thread-safe.
class BudgetLimit final : public AreaLimit {
 public:
  // `pages` are part of the lease already.
  BudgetLimit(std::shared_ptr<ConnectionBudget::Lease> lease, uint32_t pages)
      : lease_(std::move(lease)), pages_(pages) {}

  // As many of the pages as the budget has, by halves.
  uint32_t Grow(uint32_t pages) override {
    for (uint32_t more = pages - pages_; pages > pages_; more /= 2) {
      if (more == 0) break;
      if (!lease_->Grow(size_t{more} * kPageBytes)) continue;
      pages_ += more;
      break;
    }
    return pages_;
  }

  bool Shrink(uint32_t pages) override {
    if (pages < pages_) {
      lease_->Shrink(size_t{pages_ - pages} * kPageBytes);
      pages_ = pages;
    }
    return true;
  }

 private:
  const std::shared_ptr<ConnectionBudget::Lease> lease_;
  uint32_t pages_;
};

// The call areas of one connection, taken from the server's budget. Thread-safe.
class CallBudgetOfLease final : public CallBudget {
 public:
  explicit CallBudgetOfLease(std::shared_ptr<ConnectionBudget::Lease> lease)
      : lease_(std::move(lease)) {}

  bool Take(size_t bytes) override { return lease_->Grow(bytes); }
  void Give(size_t bytes) override { lease_->Shrink(bytes); }

 private:
  const std::shared_ptr<ConnectionBudget::Lease> lease_;
};

}  // namespace grpc_cxl::internal

#endif  // GRPC_CXL_EVENT_ENGINE_BUDGET_LIMIT_H_
