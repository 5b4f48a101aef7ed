// SPDX-License-Identifier: Apache-2.0
#include "grpc_cxl/event_engine/connection_budget.h"

#include <algorithm>

#include "absl/log/check.h"
#include "absl/strings/str_cat.h"
#include "grpc_cxl/arena/available_memory.h"
#include "grpc_cxl/base/steady_clock.h"

namespace grpc_cxl::internal {
namespace {

constexpr size_t kQuotas = 4;       // parts of the budget
constexpr size_t kMemoryParts = 4;  // of the memory that this process can have; one is ours
constexpr int64_t kLookAfterNs = 100'000'000;

// Whether `more` bytes go into `part` of `most` beside those in use.
bool Fits(size_t in_use, size_t more, size_t most, double part) {
  const auto limit = static_cast<size_t>(static_cast<double>(most) * part);
  return in_use <= limit && more <= limit - in_use;
}

}  // namespace

ConnectionBudget::Lease::~Lease() {
  if (budget_ == nullptr) return;
  absl::MutexLock lock(budget_->mu_);
  --budget_->all_.connections;
  budget_->all_.arena_bytes -= arena_bytes_;
  if (quota_.empty()) return;
  const auto use = budget_->quotas_.find(quota_);
  use->second.arena_bytes -= arena_bytes_;
  if (--use->second.connections == 0) budget_->quotas_.erase(use);
}

bool ConnectionBudget::Lease::Grow(size_t bytes) {
  absl::MutexLock lock(budget_->mu_);
  const size_t most = budget_->MaxBytes();
  if (!Fits(budget_->all_.arena_bytes, bytes, most, kGrowthPart)) return false;
  if (!quota_.empty()) {
    Use& use = budget_->quotas_[quota_];
    if (!Fits(use.arena_bytes, bytes, most / kQuotas, kGrowthPart)) return false;
    use.arena_bytes += bytes;
  }
  budget_->all_.arena_bytes += bytes;
  arena_bytes_ += bytes;
  return true;
}

void ConnectionBudget::Lease::Shrink(size_t bytes) {
  absl::MutexLock lock(budget_->mu_);
  CHECK_LE(bytes, arena_bytes_);
  arena_bytes_ -= bytes;
  budget_->all_.arena_bytes -= bytes;
  if (!quota_.empty()) budget_->quotas_[quota_].arena_bytes -= bytes;
}

size_t ConnectionBudget::MaxBytes() {
  if (fixed_max_bytes_ != 0) return fixed_max_bytes_;
  const int64_t now = SteadyNs();
  if (followed_max_bytes_ == 0 || now - looked_ns_ > kLookAfterNs) {
    looked_ns_ = now;
    const int64_t left = std::min(AvailableMemory(), AddressSpaceLeft());
    const auto free = static_cast<size_t>(std::max<int64_t>(0, left));
    followed_max_bytes_ =
        std::max<size_t>(1, free / kMemoryParts + all_.arena_bytes / kMemoryParts);
  }
  return followed_max_bytes_;
}

std::variant<ConnectionBudget::Lease, ConnectionBudget::Refused> ConnectionBudget::Take(
    size_t arena_bytes, const std::string& quota, double part) {
  absl::MutexLock lock(mu_);
  if (all_.connections >= max_connections_) {
    return Refused{Short::kConnections,
                   absl::StrCat("the server's limit of ", max_connections_,
                                " connections is reached (ServerOptions::max_connections)")};
  }
  const size_t most = MaxBytes();
  if (!Fits(all_.arena_bytes, arena_bytes, most, part)) {
    return Refused{
        Short::kArenaBytes,
        absl::StrCat(
            "the server has ", all_.arena_bytes, " of ", most,
            " arena bytes in use and a connection takes ", arena_bytes,
            fixed_max_bytes_ != 0
                ? " (ServerOptions::max_total_arena_bytes)"
                : "; the limit is a quarter of the memory that the server can have (its "
                  "control group's memory limit, ulimit -v, or what the machine has free)")};
  }
  if (!quota.empty()) {
    const auto found = quotas_.find(quota);
    const Use use = found == quotas_.end() ? Use() : found->second;
    if (use.connections >= std::max<size_t>(1, max_connections_ / kQuotas)) {
      return Refused{Short::kConnections,
                     absl::StrCat("clients with ", quota, " have ", use.connections,
                                  " connections, a quarter of what the server takes "
                                  "(ServerOptions::max_connections)")};
    }
    if (use.connections > 0 && !Fits(use.arena_bytes, arena_bytes, most / kQuotas, part)) {
      return Refused{Short::kArenaBytes,
                     absl::StrCat("clients with ", quota, " have ", use.arena_bytes,
                                  " arena bytes, of a quarter of the server's ", most,
                                  " (ServerOptions::max_total_arena_bytes)")};
    }
    quotas_[quota].connections += 1;
    quotas_[quota].arena_bytes += arena_bytes;
  }
  ++all_.connections;
  all_.arena_bytes += arena_bytes;
  return Lease(shared_from_this(), arena_bytes, quota);
}

}  // namespace grpc_cxl::internal
