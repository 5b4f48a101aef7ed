// SPDX-License-Identifier: Apache-2.0
#ifndef GRPC_CXL_EVENT_ENGINE_PENDING_HANDSHAKES_H_
#define GRPC_CXL_EVENT_ENGINE_PENDING_HANDSHAKES_H_

#include <sys/types.h>

#include <cstddef>
#include <list>
#include <map>
#include <memory>
#include <unordered_map>
#include <vector>

namespace grpc_cxl::internal {

class PendingHandshake;

// The handshakes of one name that are under way: a short queue for each user, so that a user who
// connects and says nothing takes the places of that user only. Not thread-safe.
class PendingHandshakes {
 public:
  // The longest queue, and how many there may be in all queues.
  static constexpr size_t kMostOfUser = 64;
  static constexpr size_t kMost = 256;

  // Adds a handshake of user `uid`. Removes and returns the one that has to go for it, which is the
  // oldest of the longest queue, or null.
  std::shared_ptr<PendingHandshake> Add(uid_t uid, std::shared_ptr<PendingHandshake> handshake);
  void Remove(const PendingHandshake* handshake);
  std::vector<std::shared_ptr<PendingHandshake>> TakeAll();

 private:
  using Queue = std::list<std::shared_ptr<PendingHandshake>>;
  struct Place {
    uid_t uid;
    Queue::iterator at;
  };

  std::map<uid_t, Queue> queues_;  // none is empty
  std::unordered_map<const PendingHandshake*, Place> places_;
};

}  // namespace grpc_cxl::internal

#endif  // GRPC_CXL_EVENT_ENGINE_PENDING_HANDSHAKES_H_
