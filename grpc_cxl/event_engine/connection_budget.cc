// SPDX-License-Identifier: Apache-2.0
#include "grpc_cxl/event_engine/connection_budget.h"

#include <algorithm>

#include "absl/strings/str_cat.h"

namespace grpc_cxl::internal {
namespace {

constexpr size_t kQuotas = 4;  // parts of the budget

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

std::variant<ConnectionBudget::Lease, ConnectionBudget::Refused> ConnectionBudget::Take(
    size_t arena_bytes, const std::string& quota) {
  absl::MutexLock lock(mu_);
  if (all_.connections >= max_connections_) {
    return Refused{Short::kConnections,
                   absl::StrCat("the server's limit of ", max_connections_,
                                " connections is reached (ServerOptions::max_connections)")};
  }
  if (arena_bytes > max_arena_bytes_ - all_.arena_bytes) {
    return Refused{Short::kArenaBytes,
                   absl::StrCat("the server has ", all_.arena_bytes, " of ", max_arena_bytes_,
                                " arena bytes in use and a connection takes ", arena_bytes,
                                " (ServerOptions::max_total_arena_bytes)")};
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
    if (use.connections > 0 && use.arena_bytes + arena_bytes > max_arena_bytes_ / kQuotas) {
      return Refused{Short::kArenaBytes,
                     absl::StrCat("clients with ", quota, " have ", use.arena_bytes,
                                  " arena bytes, of a quarter of the server's ", max_arena_bytes_,
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
