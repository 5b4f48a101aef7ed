// SPDX-License-Identifier: Apache-2.0
#ifndef GRPC_CXL_TEST_ENDPOINT_ENDPOINT_PAIR_H_
#define GRPC_CXL_TEST_ENDPOINT_ENDPOINT_PAIR_H_

#include <grpc/event_engine/event_engine.h>
#include <grpc/event_engine/slice_buffer.h>

#include <cstddef>
#include <memory>
#include <string>

#include "absl/functional/any_invocable.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/synchronization/mutex.h"
#include "grpc_cxl/doorbell/spin_budget.h"
#include "grpc_cxl/link/link.h"
#include "grpc_cxl/polling/watchdog.h"
#include "test/link/link_pair.h"

namespace grpc_cxl::internal {

using EventEngine = grpc_event_engine::experimental::EventEngine;
using SliceBuffer = grpc_event_engine::experimental::SliceBuffer;

// The pollers of this process, two; like the real ones they live as long as it does.
Watchdog* TestWatchdog();

// gRPC's endpoint over one end of a link, looked after by TestWatchdog().
std::unique_ptr<EventEngine::Endpoint> MakeEndpoint(std::unique_ptr<Link> link,
                                                    WaitPolicy policy = WaitPolicy::kAdaptive,
                                                    bool trust_peer = true);

// Two of them that talk to each other. `link` keeps the view of their shared words; its
// ends are theirs.
struct EndpointPair {
  explicit EndpointPair(size_t ring_bytes, WaitPolicy policy = WaitPolicy::kAdaptive,
                        size_t payload_bytes = 0, bool trust_peer = true);

  LinkPair link;
  std::unique_ptr<EventEngine::Endpoint> server, client;
};

// The outcome of one read or write: the callback to give to the endpoint, and its result.
// May be destroyed before the callback is called. Thread-safe.
class Outcome {
 public:
  // `then` runs inside the callback.
  absl::AnyInvocable<void(absl::Status)> Callback(absl::AnyInvocable<void()> then = nullptr);

  // What the callback was called with; DEADLINE_EXCEEDED when it was not within a minute.
  absl::Status Wait() const;
  // How often it was called, and whether it is destroyed.
  int calls() const;
  bool dropped() const { return callback_.expired(); }

 private:
  struct State {
    absl::Mutex mu;
    int calls ABSL_GUARDED_BY(mu) = 0;
    absl::Status status ABSL_GUARDED_BY(mu);
  };
  const std::shared_ptr<State> state_ = std::make_shared<State>();
  std::weak_ptr<void> callback_;
};

void Append(SliceBuffer& buffer, absl::string_view text);
std::string ToString(SliceBuffer& buffer);

// These wait. Writes all of `text`; appends what one read brings; reads once; reads until there
// are `bytes` (there must not be more).
absl::Status WriteAll(EventEngine::Endpoint& endpoint, absl::string_view text);
absl::Status ReadSlices(EventEngine::Endpoint& endpoint, SliceBuffer* all);
absl::StatusOr<std::string> ReadOnce(EventEngine::Endpoint& endpoint);
absl::StatusOr<std::string> ReadExactly(EventEngine::Endpoint& endpoint, size_t bytes);

// Whether soon neither side's words say that any of its pages is in use.
bool NothingInUse(EndpointPair& pair);

}  // namespace grpc_cxl::internal

#endif  // GRPC_CXL_TEST_ENDPOINT_ENDPOINT_PAIR_H_
