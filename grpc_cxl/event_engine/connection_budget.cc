// SPDX-License-Identifier: Apache-2.0
#include "grpc_cxl/event_engine/connection_budget.h"

#include "absl/strings/str_cat.h"

namespace grpc_cxl::internal {

ConnectionBudget::Lease::~Lease() {
  if (budget_ == nullptr) return;
  absl::MutexLock lock(budget_->mu_);
  --budget_->connections_;
  budget_->arena_bytes_ -= arena_bytes_;
}

std::variant<ConnectionBudget::Lease, ConnectionBudget::Refused> ConnectionBudget::Take(
    size_t arena_bytes) {
  absl::MutexLock lock(mu_);
  if (connections_ >= max_connections_) {
    return Refused{Short::kConnections,
                   absl::StrCat("the server's limit of ", max_connections_,
                                " connections is reached (ServerOptions::max_connections)")};
  }
  if (arena_bytes > max_arena_bytes_ - arena_bytes_) {
    return Refused{Short::kArenaBytes,
                   absl::StrCat("the server has ", arena_bytes_, " of ", max_arena_bytes_,
                                " arena bytes in use and a connection takes ", arena_bytes,
                                " (ServerOptions::max_total_arena_bytes)")};
  }
  ++connections_;
  arena_bytes_ += arena_bytes;
  return Lease(shared_from_this(), arena_bytes);
}

}  // namespace grpc_cxl::internal
