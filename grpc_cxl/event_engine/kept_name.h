// SPDX-License-Identifier: Apache-2.0
#ifndef GRPC_CXL_EVENT_ENGINE_KEPT_NAME_H_
#define GRPC_CXL_EVENT_ENGINE_KEPT_NAME_H_

#include <grpc/event_engine/event_engine.h>

#include <chrono>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/status/statusor.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"
#include "grpc_cxl/polling/poller.h"
#include "grpc_cxl/rendezvous/name_listener.h"
#include "grpc_cxl/rendezvous/name_watch.h"
#include "grpc_cxl/rendezvous/take_over.h"
#include "grpc_cxl/rendezvous/trusted_users.h"

namespace grpc_cxl::internal {

// A name that a server holds until Stop(), or until a successor takes it over: watches the name's
// files in the rendezvous directory, restores those that are removed, and logs it. When another
// server has taken the name without that, says so, and takes it again as soon as it is free.
//
//     Open() --name free-----------------> owned --AddSuccessor()--> owned, one successor asks
//        |                                  ^  ^                          | it is ready, or Stop()
//        | name served, `take_over`         |  |                          v
//        '------> its owner is asked --Start() '---the successor dies--- handed over
//
// Thread-safe; owned by a shared_ptr.
class KeptName final : public std::enable_shared_from_this<KeptName> {
 public:
  using EventEngine = grpc_event_engine::experimental::EventEngine;

  // Errors are those of RendezvousDirectory::Open() and NameListener::Listen(). With `take_over`, a
  // name that has an owner is taken from it by Start(); asking may block for a second. Without
  // `restores`, for a name of seconds, nobody watches the files, and nothing is restored.
  static absl::StatusOr<std::shared_ptr<KeptName>> Open(
      std::shared_ptr<EventEngine> executor, Poller* poller, const DirectoryCandidates& directory,
      const ServiceName& name, bool take_over, const TrustedUsers& users, bool restores = true);
  // As a replica of `service` (replica_name.h), which nobody takes over. Errors as
  // NameListener::ListenAsReplica().
  static absl::StatusOr<std::shared_ptr<KeptName>> OpenReplica(
      std::shared_ptr<EventEngine> executor, Poller* poller, const DirectoryCandidates& directory,
      const ServiceName& service);

  // That of clients: a replica has one of its own.
  const ServiceName& name() const { return name_; }

  // From now on calls `on_waiting` when clients wait for Accept(). It may be called although none
  // does, and while another call of it runs. Taking the name over may block for a second. If that
  // fails, the name is taken as soon as it is free.
  void Start(std::function<void()> on_waiting);
  // Gives the name up, to the successor that asks for it if there is one. A call of `on_waiting`
  // may still be under way.
  void Stop();

  // A server at the other end of `socket` asks for the name (take_over.h). The first is told yes,
  // and has the name when it is ready. Refuses it otherwise.
  void AddSuccessor(UniqueFd socket);
  // Waits until a successor has the name, Stop(), or `deadline`; whether one has.
  bool AwaitTakeOver(absl::Time deadline);

  // As NameListener::Accept(); empty after Stop().
  absl::StatusOr<UniqueFd> Accept();

 private:
  class Watched;

  KeptName(std::shared_ptr<EventEngine> executor, Poller* poller, RendezvousDirectory directory,
           NameListener listener, const ServiceName& name, std::optional<TakeOver> take_over,
           bool restores);

  // What ends when the name is given up, without the lock.
  struct Ending {
    std::vector<std::shared_ptr<Watched>> watched;
    UniqueFd successor;
    std::optional<TakeOver> take_over;
    std::optional<NameListener> listener;  // goes first
  };
  Ending TakeAll() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  // To the successor; whether that was possible.
  bool HandOver() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  // Until then the name is its owner's.
  void TakeFromOwner();
  void OnSuccessor();
  void WatchSocket() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);  // instead of the one before

  // Has the poller call `on_readable` for `fd`. When it cannot, Check() looks instead.
  std::shared_ptr<Watched> Watch(int fd, void (KeptName::*on_readable)());
  void OnWaiting();
  void OnFilesChanged();
  // Check() after `delay`, unless one is due sooner.
  void CheckAfter(EventEngine::Duration delay) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  void Check();
  absl::Status Restore() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);

  const std::shared_ptr<EventEngine> executor_;
  Poller* const poller_;
  const ServiceName name_;

  absl::Mutex mu_;
  RendezvousDirectory directory_ ABSL_GUARDED_BY(mu_);
  std::optional<NameListener> listener_ ABSL_GUARDED_BY(mu_);  // empty: stopped
  // Kept open, so that the owner before us learns when we end.
  std::optional<TakeOver> take_over_ ABSL_GUARDED_BY(mu_);
  UniqueFd successor_ ABSL_GUARDED_BY(mu_);        // kept open as well
  bool handed_over_ ABSL_GUARDED_BY(mu_) = false;  // to the successor, which lives
  // A successor has the name, or the successor of one.
  bool given_ ABSL_GUARDED_BY(mu_) = false;
  std::optional<NameWatch> watch_ ABSL_GUARDED_BY(mu_);  // empty: files are not restored
  std::function<void()> on_waiting_ ABSL_GUARDED_BY(mu_);
  std::shared_ptr<Watched> waiting_ ABSL_GUARDED_BY(mu_);
  std::shared_ptr<Watched> changes_ ABSL_GUARDED_BY(mu_);
  std::shared_ptr<Watched> succession_ ABSL_GUARDED_BY(mu_);  // of `successor_`
  bool unwatched_ ABSL_GUARDED_BY(mu_) = false;
  static constexpr auto kNever = std::chrono::steady_clock::time_point::max();
  std::chrono::steady_clock::time_point check_due_ ABSL_GUARDED_BY(mu_) = kNever;
  EventEngine::TaskHandle check_ ABSL_GUARDED_BY(mu_);  // unless check_due_ is kNever
  std::string last_error_ ABSL_GUARDED_BY(mu_);         // that was logged
};

}  // namespace grpc_cxl::internal

#endif  // GRPC_CXL_EVENT_ENGINE_KEPT_NAME_H_
