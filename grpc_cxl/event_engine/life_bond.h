// SPDX-License-Identifier: Apache-2.0
#ifndef GRPC_CXL_EVENT_ENGINE_LIFE_BOND_H_
#define GRPC_CXL_EVENT_ENGINE_LIFE_BOND_H_

#include <memory>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/synchronization/mutex.h"
#include "grpc_cxl/link/link_owner.h"

namespace grpc_cxl::internal {

// Connections that end when another one does: those back. Thread-safe.
class LifeBond {
 public:
  // Ends `connection` at once when the other one has ended.
  void Bind(const std::shared_ptr<LinkOwner>& connection) {
    {
      absl::MutexLock lock(mu_);
      std::erase_if(bound_, [](const auto& weak) { return weak.expired(); });
      if (!ended_) return bound_.push_back(connection);
    }
    connection->End(Reason());
  }

  // The other connection has ended.
  void End() {
    std::vector<std::weak_ptr<LinkOwner>> bound;
    {
      absl::MutexLock lock(mu_);
      ended_ = true;
      bound.swap(bound_);
    }
    for (const auto& weak : bound) {
      if (const auto connection = weak.lock()) connection->End(Reason());
    }
  }

  static absl::Status Reason() {
    return absl::UnavailableError("the connection to which this connection back belongs has ended");
  }

 private:
  absl::Mutex mu_;
  bool ended_ ABSL_GUARDED_BY(mu_) = false;
  std::vector<std::weak_ptr<LinkOwner>> bound_ ABSL_GUARDED_BY(mu_);
};

}  // namespace grpc_cxl::internal

#endif  // GRPC_CXL_EVENT_ENGINE_LIFE_BOND_H_
