// SPDX-License-Identifier: Apache-2.0
#ifndef GRPC_CXL_EVENT_ENGINE_CONNECTION_BUDGET_H_
#define GRPC_CXL_EVENT_ENGINE_CONNECTION_BUDGET_H_

#include <cstddef>
#include <memory>
#include <string>
#include <unordered_map>
#include <utility>
#include <variant>

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"

namespace grpc_cxl::internal {

// Limits the connections and arena bytes of one listening address. Thread-safe; owned by a
// shared_ptr, because connections may outlive their listener.
class ConnectionBudget : public std::enable_shared_from_this<ConnectionBudget> {
 public:
  ConnectionBudget(size_t max_connections, size_t max_arena_bytes)
      : max_connections_(max_connections), max_arena_bytes_(max_arena_bytes) {}

  // One connection's share, returned by the destructor.
  class Lease {
   public:
    Lease(std::shared_ptr<ConnectionBudget> budget, size_t arena_bytes, std::string quota)
        : budget_(std::move(budget)), arena_bytes_(arena_bytes), quota_(std::move(quota)) {}
    Lease(Lease&&) = default;
    Lease& operator=(Lease&&) = delete;
    ~Lease();

   private:
    std::shared_ptr<ConnectionBudget> budget_;  // null when moved from
    size_t arena_bytes_;
    std::string quota_;
  };

  enum class Short { kConnections, kArenaBytes };
  struct Refused {
    Short of;
    std::string reason;  // for the client
  };

  // A share of one connection and `arena_bytes`, or the limit that is reached. All clients of one
  // `quota`, unless it is empty, together get a quarter of both limits, and at least one
  // connection.
  std::variant<Lease, Refused> Take(size_t arena_bytes, const std::string& quota);

 private:
  struct Use {
    size_t connections = 0;
    size_t arena_bytes = 0;
  };

  const size_t max_connections_;
  const size_t max_arena_bytes_;
  absl::Mutex mu_;
  Use all_ ABSL_GUARDED_BY(mu_);
  std::unordered_map<std::string, Use> quotas_ ABSL_GUARDED_BY(mu_);  // those in use
};

}  // namespace grpc_cxl::internal

#endif  // GRPC_CXL_EVENT_ENGINE_CONNECTION_BUDGET_H_
