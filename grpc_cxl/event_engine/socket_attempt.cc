// SPDX-License-Identifier: Apache-2.0
#include "grpc_cxl/event_engine/socket_attempt.h"

#include <unistd.h>

#include <optional>
#include <string>
#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "grpc_cxl/arena/arena.h"
#include "grpc_cxl/base/foreign_fd.h"
#include "grpc_cxl/coherence/memory_model.h"
#include "grpc_cxl/direct/own_server.h"
#include "grpc_cxl/event_engine/way_back.h"
#include "grpc_cxl/rendezvous/dial.h"
#include "grpc_cxl/rendezvous/peer_text.h"
#include "grpc_cxl/rendezvous/peer_trust.h"
#include "grpc_cxl/rendezvous/rendezvous_directory.h"

namespace grpc_cxl::internal {

void SocketAttempt::Start(EventEngine::Duration timeout, UniqueFd line) {
  if (const absl::Status status = Greet(std::move(line)); !status.ok()) return Finish(status);
  WaitWith(request().executor->RunAfter(
      timeout, [self = shared_from_this()] { self->Finish(self->TooLate()); }));
}

absl::Status SocketAttempt::Greet(UniqueFd line) {
  if (TooManyToClose()) {
    if (line) CloseSocket(std::move(line));
    return absl::ResourceExhaustedError(
        "servers have passed this process files that take long to be closed; it connects no more "
        "until they are");
  }
  if (request().way_back != nullptr) {
    socket_ = std::move(line);
    return SendHello(socket_.get(), request().features(), request().way_back->key());
  }
  const absl::StatusOr<RendezvousDirectory> directory =
      RendezvousDirectory::Open(request().settings.directory);
  if (!directory.ok()) return directory.status();
  absl::StatusOr<UniqueFd> socket = Dial(*directory, request().name);
  if (!socket.ok()) return socket.status();
  socket_ = *std::move(socket);
  const absl::Status trusted = CheckServer(socket_.get(), request().settings.users);
  if (!trusted.ok()) return trusted;
  if (request().check_server) {
    if (absl::Status status = request().check_server(socket_.get()); !status.ok()) return status;
  }
  uint32_t features = request().features();
  if (request().serve_back > 0) {
    features |= kServesBack;
    line_key_ = LineKey::Fresh();
  }
  const std::optional<SharedSecret>& secret = request().settings.users.secret;
  if (secret.has_value()) {
    exchange_.emplace(*secret, request().name.str());
    features |= kSharedSecret;
  }
  return SendHello(socket_.get(), features, line_key_);
}

absl::StatusOr<std::optional<Welcome>> SocketAttempt::Receive() {
  if (exchange_.has_value()) {
    const absl::StatusOr<bool> proved = exchange_->Advance(socket_.get());
    if (!proved.ok()) return proved.status();
    if (!*proved) return std::nullopt;
    exchange_.reset();
  }
  // A line is the client's, whom its own handshake has shown to be one of our clients.
  if (request().way_back != nullptr) return ReceiveWelcome(socket_.get(), {.everybody = true});
  return ReceiveWelcome(socket_.get(), request().settings.users);
}

void SocketAttempt::OnFdReadable() {
  Result result;
  {
    // Mapping a large arena takes so long that another thread may make this call beside us.
    absl::MutexLock lock(answer_mu_);
    if (!socket_ || over_) return;  // it is the link's by now
    absl::StatusOr<std::optional<Welcome>> welcome = Receive();
    if (welcome.ok() && !welcome->has_value()) return;  // not yet
    if (!welcome.ok()) {
      result = welcome.status();
    } else if (absl::StatusOr<std::unique_ptr<Endpoint>> endpoint = Open(**std::move(welcome));
               !endpoint.ok()) {
      result = endpoint.status();
    } else {
      ungreeted_ = *std::move(endpoint);
      if (request().await_greeting &&
          !ungreeted_->AwaitGreeting([self = shared_from_this()](const absl::Status& status) {
            std::unique_ptr<Endpoint> greeted = self->TakeUngreeted();
            if (status.ok() && greeted == nullptr) return;
            self->Finish(status.ok() ? Result(std::move(greeted)) : Result(status));
          })) {
        return;
      }
      result = std::move(ungreeted_);
    }
  }
  Finish(std::move(result));
}

std::unique_ptr<Endpoint> SocketAttempt::TakeUngreeted() {
  absl::MutexLock lock(answer_mu_);
  return std::move(ungreeted_);
}

void SocketAttempt::EndWaiting() {
  request().poller->Remove(this);
  std::unique_ptr<Endpoint> dropped;
  absl::MutexLock lock(answer_mu_);
  over_ = true;
  dropped = std::move(ungreeted_);
}

absl::StatusOr<std::unique_ptr<Endpoint>> SocketAttempt::Open(Welcome welcome) {
  const ChannelSettings& settings = request().settings;
  absl::StatusOr<MemoryModel> memory =
      MakeMemoryModel(welcome.offer.coherence, settings.distance, settings.check_flushes);
  if (!memory.ok()) return memory.status();
  if (welcome.offer.arena_bytes > settings.max_arena_bytes) {
    return absl::ResourceExhaustedError(absl::StrCat(
        "the server's arena has ", welcome.offer.arena_bytes, " bytes, this channel takes at most ",
        settings.max_arena_bytes, " (ChannelOptions::max_arena_bytes)"));
  }
  const WayBack* const back = request().way_back.get();
  const PeerTrust trust = back != nullptr ? back->client().trust
                                          : JudgePeer(socket_.get(), welcome.peer, settings.users);
  const std::string identity =
      back != nullptr ? back->client().identity : PeerIdentityText(welcome.peer);
  absl::StatusOr<Arena> arena =
      Arena::Attach(std::move(welcome.arena_fd), welcome.offer.arena_bytes, welcome.offer.sealed,
                    IsTrustedWithMemory(trust));
  if (!arena.ok()) return arena.status();
  arena->CloseFile();
  // By the kernel's word: another process could give us the arena of a connection between the two.
  std::shared_ptr<OwnServer> own;
  if (absl::StartsWith(identity, absl::StrCat("pid=", getpid(), ","))) {
    own = OwnServer::Of({arena->device(), arena->inode()});
  }
  request().poller->Remove(this);
  return request().Open(
      {.arena = *std::move(arena),
       .socket = socket_.Release(),
       .options = {.memory = *memory, .polls = memory->coherence == Coherence::kFlush},
       .bond = back != nullptr ? back->bond() : nullptr},
      welcome.offer, identity, trust, std::move(own), line_key_);
}

}  // namespace grpc_cxl::internal
