// SPDX-License-Identifier: Apache-2.0
#ifndef GRPC_CXL_EVENT_ENGINE_CONNECTION_BUDGET_H_
#define GRPC_CXL_EVENT_ENGINE_CONNECTION_BUDGET_H_

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <unordered_map>
#include <utility>
#include <variant>

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"

namespace grpc_cxl::internal {

// Limits the connections and arena bytes of one listening address. Bytes count from the moment at
// which they may come onto the server's account, used or not. Thread-safe; owned by a
// shared_ptr, because connections may outlive their listener.
class ConnectionBudget : public std::enable_shared_from_this<ConnectionBudget> {
 public:
  // `max_arena_bytes` 0: a quarter of what this process can have (AvailableMemory()), looked up
  // again after 100 ms.
  ConnectionBudget(size_t max_connections, size_t max_arena_bytes)
      : max_connections_(max_connections), fixed_max_bytes_(max_arena_bytes) {}

  // Connections grow up to this part of the arena bytes; the rest is for new ones.
  static constexpr double kGrowthPart = 0.5;

  // One connection's share, returned by the destructor. Thread-safe but for that and moves.
  class Lease {
   public:
    Lease(std::shared_ptr<ConnectionBudget> budget, size_t arena_bytes, std::string quota)
        : budget_(std::move(budget)), arena_bytes_(arena_bytes), quota_(std::move(quota)) {}
    Lease(Lease&&) = default;
    Lease& operator=(Lease&&) = delete;
    ~Lease();

    // Takes `bytes` more, while no more than kGrowthPart is in use then. False: nothing is taken.
    bool Grow(size_t bytes);
    // Gives `bytes` of those back.
    void Shrink(size_t bytes);

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
  // connection. No more than `part` of the arena bytes are in use then.
  std::variant<Lease, Refused> Take(size_t arena_bytes, const std::string& quota, double part = 1);

 private:
  struct Use {
    size_t connections = 0;
    size_t arena_bytes = 0;
  };

  size_t MaxBytes() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);

  const size_t max_connections_;
  const size_t fixed_max_bytes_;
  absl::Mutex mu_;
  size_t followed_max_bytes_ ABSL_GUARDED_BY(mu_) = 0;
  int64_t looked_ns_ ABSL_GUARDED_BY(mu_) = 0;
  Use all_ ABSL_GUARDED_BY(mu_);
  std::unordered_map<std::string, Use> quotas_ ABSL_GUARDED_BY(mu_);  // those in use
};

}  // namespace grpc_cxl::internal

#endif  // GRPC_CXL_EVENT_ENGINE_CONNECTION_BUDGET_H_
