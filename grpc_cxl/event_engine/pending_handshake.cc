// SPDX-License-Identifier: Apache-2.0
#include "grpc_cxl/event_engine/pending_handshake.h"

#include <chrono>
#include <optional>
#include <utility>

#include "absl/log/log.h"
#include "absl/status/statusor.h"
#include "grpc_cxl/event_engine/socket_client_source.h"
#include "grpc_cxl/rendezvous/handshake.h"

namespace grpc_cxl::internal {
namespace {

constexpr auto kHelloTimeout = std::chrono::seconds(10);

}  // namespace

void PendingHandshake::Start() {
  poller_->Add(shared_from_this());
  // Refuse() may have come before Add() and found nothing to remove.
  if (ended_.load(std::memory_order_acquire)) poller_->Remove(this);
  // A weak reference: a finished handshake leaves only this small closure.
  source_->executor_->RunAfter(
      kHelloTimeout, [weak = weak_from_this()] {
        const auto self = weak.lock();
        if (self != nullptr && self->End()) {
          LOG_EVERY_N_SEC(WARNING, 1)
              << "a client of cxl:///" << self->source_->name_.str()
              << " connected and sent no Hello for 10 s; its connection was closed";
        }
      });
}

void PendingHandshake::Refuse() {
  if (End()) SendRefusal(socket_.get(), Refusal::kShuttingDown, "the server is shutting down");
}

void PendingHandshake::OnFdReadable() {
  absl::StatusOr<std::optional<ClientHello>> hello;
  UniqueFd socket;
  {
    // A leader deposed during this call may still read when the next leader calls.
    absl::MutexLock lock(mu_);
    if (!socket_) return;
    hello = ReceiveHello(socket_.get(), source_->users_);
    if (hello.ok() && !hello->has_value()) return;  // not yet
    if (!End()) return;
    socket = std::move(socket_);
  }
  if (!hello.ok()) {
    LOG_EVERY_N_SEC(WARNING, 1) << "a client of cxl:///" << source_->name_.str()
                                << " was turned away: " << hello.status().message();
    return;
  }
  // Not on the poller: making an arena takes about 0.2 ms for each MiB.
  source_->executor_->Run(
      [source = source_, socket = std::move(socket), hello = **hello]() mutable {
        source->HandOver(std::move(socket), hello);
      });
}

bool PendingHandshake::End() {
  if (ended_.exchange(true, std::memory_order_acq_rel)) return false;
  poller_->Remove(this);
  source_->Forget(this);
  return true;
}

}  // namespace grpc_cxl::internal
