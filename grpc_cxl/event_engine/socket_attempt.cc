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
#include "grpc_cxl/coherence/memory_model.h"
#include "grpc_cxl/direct/own_server.h"
#include "grpc_cxl/event_engine/back_line.h"
#include "grpc_cxl/rendezvous/dial.h"
#include "grpc_cxl/rendezvous/peer_text.h"
#include "grpc_cxl/rendezvous/peer_trust.h"
#include "grpc_cxl/rendezvous/rendezvous_directory.h"

namespace grpc_cxl::internal {

void SocketAttempt::Start(EventEngine::Duration timeout) {
  if (const absl::Status status = Dial(); !status.ok()) return Finish(status);
  WaitWith(request().executor->RunAfter(
      timeout, [self = shared_from_this()] { self->Finish(self->TooLate()); }));
}

absl::Status SocketAttempt::Dial() {
  if (TooManyToClose()) {
    return absl::ResourceExhaustedError(
        "servers have passed this process files that take long to be closed; it connects no more "
        "until they are");
  }
  if (request().back_line != nullptr) {
    absl::StatusOr<UniqueFd> socket = request().back_line->Dial();
    if (!socket.ok()) return socket.status();
    socket_ = *std::move(socket);
    return SendHello(socket_.get(), features());
  }
  const absl::StatusOr<RendezvousDirectory> directory =
      RendezvousDirectory::Open(request().settings.directory);
  if (!directory.ok()) return directory.status();
  absl::StatusOr<UniqueFd> socket = internal::Dial(*directory, request().name);
  if (!socket.ok()) return socket.status();
  socket_ = *std::move(socket);
  const absl::Status trusted = CheckServer(socket_.get(), request().settings.users);
  if (!trusted.ok()) return trusted;
  if (request().check_server) {
    if (absl::Status status = request().check_server(socket_.get()); !status.ok()) return status;
  }
  serves_back_ = request().serve_back > 0 && IsServerTrustedWithMemory();
  const std::optional<SharedSecret>& secret = request().settings.users.secret;
  if (secret.has_value()) exchange_.emplace(*secret, request().name.str());
  return SendHello(socket_.get(), features() | (exchange_ ? kSharedSecret : kNoFeatures));
}

uint32_t SocketAttempt::features() const {
  return request().features() | (serves_back_ ? kServesBack : kNoFeatures);
}

bool SocketAttempt::IsServerTrustedWithMemory() const {
  const absl::StatusOr<PeerIdentity> server = IdentifyPeer(socket_.get());
  return server.ok() &&
         IsTrustedWithMemory(JudgePeer(socket_.get(), *server, request().settings.users));
}

absl::StatusOr<std::optional<Welcome>> SocketAttempt::Receive() {
  if (exchange_.has_value()) {
    const absl::StatusOr<bool> proved = exchange_->Advance(socket_.get());
    if (!proved.ok()) return proved.status();
    if (!*proved) return std::nullopt;
    exchange_.reset();
  }
  // By a line comes nobody but the client, and the kernel would name ourselves.
  if (request().back_line != nullptr) return ReceiveWelcome(socket_.get(), {.everybody = true});
  return ReceiveWelcome(socket_.get(), request().settings.users, features());
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
  const BackLine* const back = request().back_line.get();
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
  PeerIdentity server = welcome.peer;
  server.knows_secret = settings.users.secret.has_value();  // Receive() would have failed
  request().poller->Remove(this);
  return request().Open(
      {.arena = *std::move(arena),
       .socket = socket_.Release(),
       .options = {.memory = *memory, .polls = memory->coherence == Coherence::kFlush},
       .line = std::move(welcome.line),
       .bond = back != nullptr ? back->bond() : nullptr},
      welcome.offer, identity, trust, std::move(own), server);
}

}  // namespace grpc_cxl::internal
