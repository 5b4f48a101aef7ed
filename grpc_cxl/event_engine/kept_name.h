// SPDX-License-Identifier: Apache-2.0
#ifndef GRPC_CXL_EVENT_ENGINE_KEPT_NAME_H_
#define GRPC_CXL_EVENT_ENGINE_KEPT_NAME_H_

#include <grpc/event_engine/event_engine.h>

#include <chrono>
#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "absl/base/thread_annotations.h"
#include "absl/status/statusor.h"
#include "absl/synchronization/mutex.h"
#include "grpc_cxl/polling/poller.h"
#include "grpc_cxl/rendezvous/name_listener.h"
#include "grpc_cxl/rendezvous/name_watch.h"

namespace grpc_cxl::internal {

// A name that a server holds until Stop(): watches the name's files in the rendezvous directory,
// restores those that are removed, and logs it. When another server has taken the name meanwhile,
// says so, and takes it again as soon as it is free.
//
// Thread-safe; owned by a shared_ptr.
class KeptName final : public std::enable_shared_from_this<KeptName> {
 public:
  using EventEngine = grpc_event_engine::experimental::EventEngine;

  // Errors are those of RendezvousDirectory::Open() and NameListener::Listen().
  static absl::StatusOr<std::shared_ptr<KeptName>> Open(std::shared_ptr<EventEngine> executor,
                                                        Poller* poller,
                                                        const DirectoryCandidates& directory,
                                                        const ServiceName& name);

  // From now on calls `on_waiting` when clients wait for Accept(). It may be called although none
  // does, and while another call of it runs.
  void Start(std::function<void()> on_waiting);
  // Gives the name up. A call of `on_waiting` may still be under way.
  void Stop();

  // As NameListener::Accept(); empty after Stop().
  absl::StatusOr<UniqueFd> Accept();

 private:
  class Watched;

  KeptName(std::shared_ptr<EventEngine> executor, Poller* poller, RendezvousDirectory directory,
           NameListener listener, const ServiceName& name);

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
  NameWatch watch_ ABSL_GUARDED_BY(mu_);
  std::function<void()> on_waiting_ ABSL_GUARDED_BY(mu_);
  std::shared_ptr<Watched> waiting_ ABSL_GUARDED_BY(mu_);
  std::shared_ptr<Watched> changes_ ABSL_GUARDED_BY(mu_);
  bool unwatched_ ABSL_GUARDED_BY(mu_) = false;
  static constexpr auto kNever = std::chrono::steady_clock::time_point::max();
  std::chrono::steady_clock::time_point check_due_ ABSL_GUARDED_BY(mu_) = kNever;
  EventEngine::TaskHandle check_ ABSL_GUARDED_BY(mu_);  // unless check_due_ is kNever
  std::string last_error_ ABSL_GUARDED_BY(mu_);         // that was logged
};

}  // namespace grpc_cxl::internal

#endif  // GRPC_CXL_EVENT_ENGINE_KEPT_NAME_H_
