// SPDX-License-Identifier: Apache-2.0
#include "grpc_cxl/direct/keepalive.h"

#include <grpc/event_engine/event_engine.h>

#include <chrono>
#include <cstdint>
#include <utility>

#include "absl/status/status.h"

namespace grpc_cxl::internal {
namespace {

using grpc_event_engine::experimental::EventEngine;

// The keepalive of a call. Its timers own it.
//
//   Rest() --time--> Ask(): ping --timeout--> Check() --answered--> Rest()
//                                                 '--no answer--> the link ends
class Watch : public std::enable_shared_from_this<Watch> {
 public:
  Watch(const DirectChannel& channel, std::shared_ptr<const CallRoute> link,
        std::function<bool()> over)
      : time_(channel.keepalive_time),
        timeout_(channel.keepalive_timeout),
        engine_(grpc_event_engine::experimental::GetDefaultEventEngine()),
        link_(std::move(link)),
        over_(std::move(over)) {}

  void Rest() {
    engine_->RunAfter(time_, [self = shared_from_this()] { self->Ask(); });
  }

 private:
  void Ask() {
    if (over_()) return;
    const uint64_t ping = link_->calls->Ping();
    engine_->RunAfter(timeout_, [self = shared_from_this(), ping] { self->Check(ping); });
  }

  void Check(uint64_t ping) {
    if (over_()) return;
    if (link_->calls->Answered(ping)) return Rest();
    link_->owner->End(absl::UnavailableError(
        "keepalive: the server did not answer a ping in time (GRPC_ARG_KEEPALIVE_TIMEOUT_MS); is "
        "it stopped or stuck?"));
  }

  const std::chrono::milliseconds time_;
  const std::chrono::milliseconds timeout_;
  const std::shared_ptr<EventEngine> engine_;
  const std::shared_ptr<const CallRoute> link_;
  const std::function<bool()> over_;
};

}  // namespace

void WatchServer(const DirectChannel& channel, std::shared_ptr<const CallRoute> link,
                 std::function<bool()> over) {
  std::make_shared<Watch>(channel, std::move(link), std::move(over))->Rest();
}

}  // namespace grpc_cxl::internal
