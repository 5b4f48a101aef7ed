// SPDX-License-Identifier: Apache-2.0
#ifndef GRPC_CXL_EVENT_ENGINE_ARRIVALS_H_
#define GRPC_CXL_EVENT_ENGINE_ARRIVALS_H_

#include <grpc/event_engine/event_engine.h>

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"
#include "grpc_cxl/polling/pollable.h"
#include "grpc_cxl/polling/poller.h"
#include "grpc_cxl/rendezvous/directory_watch.h"
#include "grpc_cxl/rendezvous/rendezvous_directory.h"

namespace grpc_cxl::internal {

// Watches a rendezvous directory for names that appear, while somebody waits for one. There is one
// for each directory of the process's channels, which is one as a rule. While the directory is
// missing, or the kernel has no watch for it, looks every few seconds instead.
//
// Thread-safe; owned by a shared_ptr.
class Arrivals final : public std::enable_shared_from_this<Arrivals> {
 public:
  using EventEngine = grpc_event_engine::experimental::EventEngine;

  class Waiter {
   public:
    virtual ~Waiter() = default;
    // One of the names may have appeared. On a thread of the executor, without any lock held.
    virtual void OnArrival() = 0;
  };

  // That of the directory; a new one watches already.
  static std::shared_ptr<Arrivals> Of(const DirectoryCandidates& directory,
                                      std::shared_ptr<EventEngine> executor, Poller* poller);
  ~Arrivals();

  // From now on `waiter` hears of the names; of all that begin with it, if one ends in `=`; and of
  // those with the prefix "unix=" if that is one: a file's name tells too little of what it will
  // be.
  void Add(const std::shared_ptr<Waiter>& waiter, const std::vector<std::string>& stems);

 private:
  class Watched;

  Arrivals(const DirectoryCandidates& directory, std::shared_ptr<EventEngine> executor,
           Poller* poller);
  // Watches the directory if it can; comes back later if not.
  void Watch();
  void WatchLater();
  void OnReadable();
  // Tells the waiters for what has come, or all of them.
  void Report(bool all);

  const DirectoryCandidates directory_;
  const std::shared_ptr<EventEngine> executor_;
  Poller* const poller_;

  absl::Mutex mu_;
  std::shared_ptr<Watched> watched_ ABSL_GUARDED_BY(mu_);  // null: no watch
  bool reporting_ ABSL_GUARDED_BY(mu_) = false;            // Report() is due
  std::multimap<std::string, std::weak_ptr<Waiter>> waiters_ ABSL_GUARDED_BY(mu_);
};

}  // namespace grpc_cxl::internal

#endif  // GRPC_CXL_EVENT_ENGINE_ARRIVALS_H_
