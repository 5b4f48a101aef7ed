// SPDX-License-Identifier: Apache-2.0
#ifndef GRPC_CXL_EVENT_ENGINE_STAGGERED_DIAL_H_
#define GRPC_CXL_EVENT_ENGINE_STAGGERED_DIAL_H_

#include <grpc/event_engine/event_engine.h>

#include <chrono>
#include <memory>
#include <utility>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/synchronization/mutex.h"
#include "grpc_cxl/event_engine/connect_attempt.h"
#include "grpc_cxl/rendezvous/service_name.h"

namespace grpc_cxl::internal {

class SocketAttempt;

// Connects to one of a name's servers, as Happy Eyeballs (RFC 8305) does to one of its addresses:
//
//   1st ----------------------------- silent: stopped, or a stranger's who never answers
//   kDelay  2nd ---- fails
//                3rd ------------- connected: the others are given up
//                kDelay  4th ---
//
// The next is tried as soon as one fails, and kDelay after the last one that has not answered.
// Where a secret counts, whoever may write to the directory may have registered: then two are tried
// after the first kDelay, four after the second, and so on. Each has kPatience, and the last what
// is left of the time.
//
// A server that leaves amid the handshake is tried again at once, up to kRedials times: a successor
// has its name by then; gRPC would try again after its back-off, and calls would fail meanwhile.
//
// Thread-safe; owned by a shared_ptr.
class StaggeredDial final : public std::enable_shared_from_this<StaggeredDial> {
 public:
  using EventEngine = ConnectRequest::EventEngine;
  using Clock = std::chrono::steady_clock;

  // Begins with the last of `names`, of which there must be one; `request`, whatever its name. An
  // error is that of a server which is alive, if one is.
  static void Start(ConnectRequest request, std::vector<ServiceName> names,
                    Clock::time_point deadline, EventEngine::OnConnectCallback on_connect);

 private:
  using Result = ConnectAttempt::Result;

  static constexpr EventEngine::Duration kDelay = std::chrono::milliseconds(200);
  static constexpr EventEngine::Duration kPatience = std::chrono::seconds(1);
  static constexpr int kRedials = 3;

  StaggeredDial(ConnectRequest request, std::vector<ServiceName> names, Clock::time_point deadline,
                EventEngine::OnConnectCallback on_connect)
      : request_(std::move(request)),
        deadline_(deadline),
        names_(std::move(names)),
        on_connect_(std::move(on_connect)) {}

  // Tries up to `count` more.
  void Begin(size_t count);
  void Dial(const ServiceName& name, bool is_last);
  void OnDelay(int begun);
  void OnResult(const ServiceName& name, Result result);
  // All have failed, `name` last: whether it is tried once more.
  bool Redial(const ServiceName& name, const absl::Status& why);

  const ConnectRequest request_;
  const Clock::time_point deadline_;

  absl::Mutex mu_;
  std::vector<ServiceName> names_ ABSL_GUARDED_BY(mu_);  // to be tried, from the back
  std::vector<std::weak_ptr<SocketAttempt>> attempts_ ABSL_GUARDED_BY(mu_);
  int running_ ABSL_GUARDED_BY(mu_) = 0;  // attempts
  int begun_ ABSL_GUARDED_BY(mu_) = 0;    // calls of Begin()
  size_t at_once_ ABSL_GUARDED_BY(mu_) = 1;
  int redials_ ABSL_GUARDED_BY(mu_) = kRedials;
  absl::Status telling_ ABSL_GUARDED_BY(mu_);  // why not a living one; OK: none was alive
  EventEngine::OnConnectCallback on_connect_ ABSL_GUARDED_BY(mu_);  // null: it is over
};

}  // namespace grpc_cxl::internal

#endif  // GRPC_CXL_EVENT_ENGINE_STAGGERED_DIAL_H_
