#include "test/endpoint/endpoint_pair.h"

#include <grpc/slice.h>

#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/time/time.h"
#include "grpc_cxl/endpoint/endpoint.h"
#include "grpc_cxl/endpoint/endpoint_core.h"

namespace grpc_cxl::internal {

using grpc_event_engine::experimental::GetDefaultEventEngine;
using grpc_event_engine::experimental::Slice;

Watchdog* TestWatchdog() {
  static Watchdog* const watchdog = new Watchdog(2);
  return watchdog;
}

std::unique_ptr<EventEngine::Endpoint> MakeEndpoint(std::unique_ptr<Link> link, WaitPolicy policy,
                                                    bool trust_peer) {
  return std::make_unique<Endpoint>(
      std::make_shared<EndpointCore>(std::move(link), SpinBudget(policy, absl::Microseconds(50)),
                                     GetDefaultEventEngine(), trust_peer),
      TestWatchdog()->Assign(), EventEngine::ResolvedAddress(), EventEngine::ResolvedAddress());
}

EndpointPair::EndpointPair(size_t ring_bytes, WaitPolicy policy, size_t payload_bytes,
                           bool trust_peer)
    : link(ring_bytes, payload_bytes),
      server(MakeEndpoint(std::move(link.server), policy, trust_peer)),
      client(MakeEndpoint(std::move(link.client), policy, trust_peer)) {}

absl::AnyInvocable<void(absl::Status)> Outcome::Callback(absl::AnyInvocable<void()> then) {
  struct Guard {
    explicit Guard(std::shared_ptr<State> state) : state(std::move(state)) {}
    Guard(Guard&&) = default;
    ~Guard() {
      if (state == nullptr) return;
      absl::MutexLock lock(state->mu);
      state->dropped = true;
    }
    std::shared_ptr<State> state;
  };
  return [guard = Guard(state_), then = std::move(then)](absl::Status status) mutable {
    if (then) then();
    absl::MutexLock lock(guard.state->mu);
    ++guard.state->calls;
    guard.state->status = std::move(status);
  };
}

absl::Status Outcome::Wait() const {
  State& state = *state_;
  absl::MutexLock lock(state.mu);
  const auto called = [&state]() ABSL_SHARED_LOCKS_REQUIRED(state.mu) { return state.calls > 0; };
  if (!state.mu.AwaitWithTimeout(absl::Condition(&called), absl::Minutes(1))) {
    return absl::DeadlineExceededError("the callback was not called");
  }
  return state.status;
}

int Outcome::calls() const {
  absl::MutexLock lock(state_->mu);
  return state_->calls;
}

bool Outcome::dropped() const {
  absl::MutexLock lock(state_->mu);
  return state_->dropped;
}

void Append(SliceBuffer& buffer, absl::string_view text) {
  buffer.Append(Slice(grpc_slice_from_copied_buffer(text.data(), text.size())));
}

std::string ToString(SliceBuffer& buffer) {
  std::string text;
  for (size_t i = 0; i < buffer.Count(); ++i) text += buffer[i].as_string_view();
  return text;
}

absl::Status WriteAll(EventEngine::Endpoint& endpoint, absl::string_view text) {
  const auto buffer = std::make_shared<SliceBuffer>();
  Append(*buffer, text);
  Outcome outcome;
  if (endpoint.Write(outcome.Callback([buffer] {}), buffer.get(), {})) return absl::OkStatus();
  return outcome.Wait();
}

absl::StatusOr<std::string> ReadOnce(EventEngine::Endpoint& endpoint) {
  // Of the callback as well, because it may come after we have given up.
  const auto buffer = std::make_shared<SliceBuffer>();
  Outcome outcome;
  if (!endpoint.Read(outcome.Callback([buffer] {}), buffer.get(), {})) {
    if (absl::Status status = outcome.Wait(); !status.ok()) return status;
  }
  if (buffer->Length() == 0) return absl::InternalError("a read was done without bytes");
  return ToString(*buffer);
}

absl::StatusOr<std::string> ReadExactly(EventEngine::Endpoint& endpoint, size_t bytes) {
  std::string text;
  while (text.size() < bytes) {
    absl::StatusOr<std::string> more = ReadOnce(endpoint);
    if (!more.ok()) return more.status();
    text += *more;
  }
  if (text.size() > bytes) {
    return absl::InternalError(absl::StrCat(text.size() - bytes, " bytes too many came"));
  }
  return text;
}

absl::Status ReadToTheEnd(EventEngine::Endpoint& endpoint, std::string* text) {
  for (;;) {
    absl::StatusOr<std::string> more = ReadOnce(endpoint);
    if (!more.ok()) return more.status();
    *text += *more;
  }
}

}  // namespace grpc_cxl::internal
