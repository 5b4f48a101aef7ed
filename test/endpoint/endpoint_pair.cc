// SPDX-License-Identifier: Apache-2.0
#include "test/endpoint/endpoint_pair.h"

#include <grpc/slice.h>

#include <utility>

#include "absl/log/check.h"
#include "absl/strings/str_cat.h"
#include "absl/time/time.h"
#include "grpc_cxl/endpoint/endpoint.h"
#include "grpc_cxl/endpoint/endpoint_core.h"
#include "test/support/eventually.h"

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
      std::make_shared<EndpointCore>(
          std::move(link), WaitTerms{.policy = policy, .max_spin = absl::Microseconds(50)},
          GetDefaultEventEngine(), trust_peer),
      TestWatchdog()->Assign(), EventEngine::ResolvedAddress(), EventEngine::ResolvedAddress());
}

EndpointPair::EndpointPair(size_t ring_bytes, WaitPolicy policy, size_t payload_bytes,
                           bool trust_peer)
    : link(ring_bytes, payload_bytes),
      server(MakeEndpoint(std::move(link.server), policy, trust_peer)),
      client(MakeEndpoint(std::move(link.client), policy, trust_peer)) {}

absl::AnyInvocable<void(absl::Status)> Outcome::Callback(absl::AnyInvocable<void()> then) {
  const auto alive = std::make_shared<int>();
  callback_ = alive;
  return [alive, state = state_, then = std::move(then)](absl::Status status) mutable {
    if (then) then();
    absl::MutexLock lock(state->mu);
    ++state->calls;
    state->status = std::move(status);
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

void Append(SliceBuffer& buffer, absl::string_view text) {
  buffer.Append(Slice(grpc_slice_from_copied_buffer(text.data(), text.size())));
}

std::string ToString(SliceBuffer& buffer) {
  std::string text;
  for (size_t i = 0; i < buffer.Count(); ++i) text += buffer[i].as_string_view();
  return text;
}

absl::Status WriteAll(EventEngine::Endpoint& endpoint, absl::string_view text) {
  // Of the callback as well, because it may come after we have given up.
  const auto buffer = std::make_shared<SliceBuffer>();
  Append(*buffer, text);
  Outcome outcome;
  if (endpoint.Write(outcome.Callback([buffer] {}), buffer.get(), {})) return absl::OkStatus();
  return outcome.Wait();
}

absl::Status ReadSlices(EventEngine::Endpoint& endpoint, SliceBuffer* all) {
  const auto buffer = std::make_shared<SliceBuffer>();
  Outcome outcome;
  if (!endpoint.Read(outcome.Callback([buffer] {}), buffer.get(), {})) {
    if (absl::Status status = outcome.Wait(); !status.ok()) return status;
  }
  if (buffer->Length() == 0) return absl::InternalError("a read was done without bytes");
  while (buffer->Count() > 0) all->Append(buffer->TakeFirst());
  return absl::OkStatus();
}

absl::StatusOr<std::string> ReadOnce(EventEngine::Endpoint& endpoint) {
  SliceBuffer buffer;
  if (absl::Status status = ReadSlices(endpoint, &buffer); !status.ok()) return status;
  return ToString(buffer);
}

absl::StatusOr<std::string> ReadExactly(EventEngine::Endpoint& endpoint, size_t bytes) {
  std::string text;
  while (text.size() < bytes) {
    absl::StatusOr<std::string> more = ReadOnce(endpoint);
    if (!more.ok()) return more.status();
    text += *more;
  }
  if (text.size() == bytes) return text;
  return absl::InternalError(absl::StrCat(text.size() - bytes, " bytes too many came"));
}

bool NothingInUse(EndpointPair& pair) {
  return Eventually([&] {
    // A byte each way, after which both pollers go to sleep and take back.
    for (const auto& [from, to] :
         {std::pair(&pair.client, &pair.server), {&pair.server, &pair.client}}) {
      CHECK_OK(WriteAll(**from, "x"));
      CHECK_OK(ReadExactly(**to, 1));
    }
    return pair.link.client_words().blocks.pages_in_use == 0 &&
           pair.link.server_words().blocks.pages_in_use == 0;
  });
}

}  // namespace grpc_cxl::internal
