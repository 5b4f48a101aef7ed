// SPDX-License-Identifier: Apache-2.0
#include "grpc_cxl/event_engine/pending_handshake.h"

#include <chrono>
#include <optional>
#include <string>
#include <utility>

#include "absl/log/log.h"
#include "absl/status/statusor.h"
#include "grpc_cxl/base/foreign_fd.h"
#include "grpc_cxl/event_engine/socket_client_source.h"
#include "grpc_cxl/rendezvous/handshake.h"

namespace grpc_cxl::internal {
namespace {

constexpr auto kHelloTimeout = std::chrono::seconds(10);

}  // namespace

void PendingHandshake::Start() {
  OnFdReadable();  // most clients have said hello by now, and need no place
  if (ended_.load(std::memory_order_acquire)) return;
  source_->Queue(shared_from_this());
  bool watched;
  {
    absl::MutexLock lock(mu_);  // keeps the socket
    if (ended_.load(std::memory_order_acquire)) return;
    watched = poller_->Add(shared_from_this());
    // End() may have come first, when there was nothing yet for it to remove.
    if (ended_.load(std::memory_order_acquire)) return poller_->Remove(this);
  }
  if (!watched) {
    if (!End()) return;
    return Close(Refusal::kNoMemory,
                 "the kernel watches no more sockets for the server's user; raise "
                 "fs.epoll.max_user_watches");
  }
  // Holds no reference: a handshake that is over leaves nothing behind but this small closure.
  source_->executor_->RunAfter(
      kHelloTimeout, [weak = weak_from_this()] {
        const auto self = weak.lock();
        if (self == nullptr || !self->End()) return;
        LOG_EVERY_N_SEC(WARNING, 1)
            << "a client of cxl:///" << self->source_->name_.str()
            << " connected and did not finish the handshake in 10 s; its connection was closed";
        self->Close(Refusal::kNone, "");
      });
}

void PendingHandshake::Drop() {
  OnFdReadable();  // its Hello may have come meanwhile
  if (!End()) return;
  LOG_EVERY_N_SEC(WARNING, 1) << "a client of cxl:///" << source_->name_.str()
                              << " connected and sent nothing while many others of its user came; "
                                 "dropped";
  Close(Refusal::kNone, "");
}

void PendingHandshake::Refuse() {
  OnFdReadable();  // a Hello that is not read would take the refusal from the client (handshake.h)
  if (End()) Close(Refusal::kShuttingDown, "the server is shutting down");
}

void PendingHandshake::OnFdReadable() {
  absl::StatusOr<std::optional<ClientHello>> hello;
  {
    // A leader deposed during this call may still read when the next leader calls.
    absl::MutexLock lock(mu_);
    if (!socket_) return;
    hello = Receive();
    if (hello.ok() && !hello->has_value()) return;  // not yet
    if (!End()) return;
  }
  if (!hello.ok()) {
    if (absl::IsUnavailable(hello.status())) {
      LOG_EVERY_N_SEC(WARNING, 1) << "a client of cxl:///" << source_->name_.str()
                                  << " has gone: " << hello.status().message();
    } else {
      source_->Refused(client_, std::string(hello.status().message()));
    }
    return Close(Refusal::kNone, "");
  }
  // Elsewhere, because making an arena takes milliseconds (arena.h).
  source_->executor_->Run([source = source_, socket = TakeSocket(), hello = **hello]() mutable {
    source->HandOver(std::move(socket), hello, /*known=*/std::nullopt);
  });
}

absl::StatusOr<std::optional<ClientHello>> PendingHandshake::Receive() {
  const TrustedUsers& users = source_->users_;
  if (!hello_.has_value()) {
    absl::StatusOr<std::optional<ClientHello>> hello = ReceiveHello(socket_.get(), users);
    if (!hello.ok() || !hello->has_value() || !users.secret.has_value()) return hello;
    if ((*hello)->takes_over || (*hello)->claim.has_value()) return hello;
    hello_ = **hello;
    exchange_.emplace(*users.secret, source_->name_.str());
    if (absl::Status sent = exchange_->SendChallenge(socket_.get()); !sent.ok()) return sent;
  }
  const absl::StatusOr<bool> proved = exchange_->ReceiveProof(socket_.get());
  if (!proved.ok()) return proved.status();
  if (!*proved) return std::nullopt;
  hello_->peer.knows_secret = true;
  return hello_;
}

UniqueFd PendingHandshake::TakeSocket() {
  absl::MutexLock lock(mu_);
  return std::move(socket_);
}

void PendingHandshake::Close(Refusal refusal, const std::string& reason) {
  UniqueFd socket = TakeSocket();
  if (refusal != Refusal::kNone) SendRefusal(socket.get(), refusal, reason);
  CloseSocket(std::move(socket));
}

bool PendingHandshake::End() {
  if (ended_.exchange(true, std::memory_order_acq_rel)) return false;
  poller_->Remove(this);
  source_->Forget(this);
  return true;
}

}  // namespace grpc_cxl::internal
