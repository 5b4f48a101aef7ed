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

#include "grpc_cxl/rendezvous/handshake.h"

namespace grpc_cxl::internal {

class PendingHandshake;

// The handshakes of one name that wait for their clients: a short queue for each user, so that a
// user who connects and says nothing takes the places of that user only; and in a full queue a
// process with many places gives way, so that such a process takes its own. Not thread-safe.
class PendingHandshakes {
 public:
  // The longest queue, and how many there may be in all queues.
  static constexpr size_t kMostOfUser = 64;
  static constexpr size_t kMost = 256;

  // A process with no more places gives none up before others.
  static constexpr size_t kMostOfProcess = 16;

  // Adds a handshake of `client`. Removes and returns the one that has to go for it, or null: in
  // the longest queue, the oldest of the process that has most, or of all if it has no more than
  // kMostOfProcess. (Processes without a number in our pid namespace count as one.)
  std::shared_ptr<PendingHandshake> Add(const PeerIdentity& client,
                                        std::shared_ptr<PendingHandshake> handshake);
  void Remove(const PendingHandshake* handshake);
  std::vector<std::shared_ptr<PendingHandshake>> TakeAll();

 private:
  struct Entry {
    pid_t pid;
    std::shared_ptr<PendingHandshake> handshake;
  };
  using Queue = std::list<Entry>;
  struct Place {
    uid_t uid;
    Queue::iterator at;
  };

  static std::shared_ptr<PendingHandshake> WhoGivesWay(const Queue& queue);

  std::map<uid_t, Queue> queues_;  // none is empty
  std::unordered_map<const PendingHandshake*, Place> places_;
};

}  // namespace grpc_cxl::internal

#endif  // GRPC_CXL_EVENT_ENGINE_PENDING_HANDSHAKES_H_
