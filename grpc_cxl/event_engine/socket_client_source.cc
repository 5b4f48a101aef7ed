// SPDX-License-Identifier: Apache-2.0
#include "grpc_cxl/event_engine/socket_client_source.h"

#include <chrono>
#include <string>
#include <utility>
#include <vector>

#include "absl/log/log.h"
#include "absl/strings/str_cat.h"
#include "grpc_cxl/base/foreign_fd.h"
#include "grpc_cxl/calls/call_layout.h"
#include "grpc_cxl/event_engine/pending_handshake.h"
#include "grpc_cxl/event_engine/way_back.h"
#include "grpc_cxl/link/link_layout.h"
#include "grpc_cxl/rendezvous/line.h"
#include "grpc_cxl/rendezvous/peer_text.h"
#include "grpc_cxl/rendezvous/peer_trust.h"

namespace grpc_cxl::internal {
namespace {

// Clients to accept before other connections have their turn.
constexpr int kMostAtOnce = 64;

// How long to wait for a file descriptor when there is none left.
constexpr auto kDescriptorPause = std::chrono::milliseconds(100);

class WaitingSocketClient final : public WaitingClient {
 public:
  WaitingSocketClient(const ServiceName& name, UniqueFd socket, const ClientHello& hello,
                      const ArenaBacking& backing, const MemoryModel& memory, PeerTrust trust,
                      const std::optional<KnownClient>& known)
      : name_(name),
        socket_(std::move(socket)),
        hello_(hello),
        backing_(backing),
        memory_(memory),
        trust_(trust),
        known_(known) {}
  ~WaitingSocketClient() override { CloseSocket(std::move(socket_)); }

  uint32_t features() const override { return hello_.features; }
  std::string who() const override { return PeerIdentityText(hello_.peer); }
  PeerTrust trust() const override { return trust_; }
  std::string quota() const override {
    return trust_ == PeerTrust::kStranger ? absl::StrCat("uid=", hello_.peer.uid) : "";
  }

  std::optional<LineSource> lines() const override {
    if ((hello_.features & kServesBack) == 0) return std::nullopt;
    const absl::StatusOr<PeerProcess> client = PeerProcess::Of(socket_.get());
    if (!client.ok()) return std::nullopt;
    return LineSource{.key = hello_.line_key, .client = *client};
  }

  // Where caches do not see each other, an end may hold lines of pages that the other has given
  // back.
  bool reserves_on_use() const override {
    return memory_.coherence == Coherence::kCoherent && Arena::CanReserveOnUse(backing_);
  }

  absl::StatusOr<LinkParts> Accept(size_t bytes, ArenaOffer offer) override {
    absl::StatusOr<Arena> arena =
        Arena::Create(bytes, backing_, reserves_on_use() ? Reservation::kOnUse : Reservation::kAll,
                      absl::StrCat(name_.str(), ",", who()));
    if (!arena.ok()) return arena.status();
    if (absl::Status reserved = ReserveFirst(*arena, offer); !reserved.ok()) return reserved;
    offer.arena_bytes = arena->size();
    offer.sealed = arena->sealed();
    offer.coherence = memory_.coherence;
    if (absl::Status sent = SendWelcome(socket_.get(), offer, arena->fd()); !sent.ok()) {
      return sent;
    }
    arena->CloseFile();
    LinkParts parts{
        .arena = *std::move(arena),
        .socket = std::move(socket_),
        .options = {.memory = memory_, .polls = memory_.coherence == Coherence::kFlush}};
    if (known_.has_value()) {
      parts.options.lease = known_->ticket;
      parts.bond = known_->bond;
    }
    return parts;
  }

  void Refuse(Refusal refusal, const std::string& reason) override {
    SendRefusal(socket_.get(), refusal, reason);
  }

 private:
  // What the connection cannot begin without: a client is told what is missing only instead of the
  // Welcome.
  static absl::Status ReserveFirst(const Arena& arena, const ArenaOffer& offer) {
    const absl::Span<const char> all(arena.data(), arena.size());
    absl::Status reserved = arena.pages().Reserve(all.first(kLinkControlBytes));
    if (!reserved.ok() || (offer.features & kDirectCalls) == 0) return reserved;
    const size_t calls =
        CallAreaAt({.ring_bytes = offer.ring_bytes, .payload_bytes = offer.payload_bytes});
    return arena.pages().Reserve(all.subspan(calls, kCallWordsBytes));
  }

  const ServiceName name_;
  UniqueFd socket_;
  const ClientHello hello_;
  const ArenaBacking backing_;
  const MemoryModel memory_;
  const PeerTrust trust_;
  const std::optional<KnownClient> known_;
};

}  // namespace

absl::StatusOr<std::shared_ptr<SocketClientSource>> SocketClientSource::Open(
    std::shared_ptr<EventEngine> executor, Poller* poller, const ServiceName& name,
    const ServerSettings& settings, const MemoryModel& memory, const ServiceName& guarded_as) {
  absl::StatusOr<std::shared_ptr<KeptName>> kept =
      HasReplicas(name, settings)
          ? KeptName::OpenReplica(executor, poller, settings.directory, name)
          : KeptName::Open(executor, poller, settings.directory, name, settings.take_over,
                           settings.users, /*restores=*/name.str() == guarded_as.str());
  if (!kept.ok()) return kept.status();
  const ServiceName own = (*kept)->name();
  return std::shared_ptr<SocketClientSource>(new SocketClientSource(
      std::move(executor), poller, *std::move(kept), own, settings, memory, guarded_as));
}

std::shared_ptr<SocketClientSource> SocketClientSource::WithoutName(
    std::shared_ptr<EventEngine> executor, Poller* poller, const ServiceName& name,
    const ServerSettings& settings, const MemoryModel& memory) {
  return std::shared_ptr<SocketClientSource>(new SocketClientSource(
      std::move(executor), poller, /*kept_name=*/nullptr, name, settings, memory, name));
}

SocketClientSource::SocketClientSource(std::shared_ptr<EventEngine> executor, Poller* poller,
                                       std::shared_ptr<KeptName> kept_name, const ServiceName& name,
                                       const ServerSettings& settings, const MemoryModel& memory,
                                       const ServiceName& guarded_as)
    : executor_(std::move(executor)),
      poller_(poller),
      kept_name_(std::move(kept_name)),
      name_(name),
      guard_(guarded_as),
      users_(settings.users),
      backing_(settings.backing),
      memory_(memory) {}

void SocketClientSource::Start(OnClient on_client) {
  {
    absl::MutexLock lock(mu_);
    on_client_ = std::move(on_client);
  }
  if (kept_name_ == nullptr) return;
  kept_name_->Start([self = shared_from_this()] { self->AcceptAll(); });
}

void SocketClientSource::Stop() {
  if (kept_name_ != nullptr) kept_name_->Stop();
  OnClient dropped;
  std::vector<std::shared_ptr<PendingHandshake>> handshakes;
  {
    absl::MutexLock lock(mu_);
    stopped_ = true;
    dropped = std::exchange(on_client_, nullptr);
    handshakes = handshakes_.TakeAll();
  }
  for (const auto& handshake : handshakes) handshake->Refuse();
}

void SocketClientSource::AcceptAll() {
  for (int i = 0; i < kMostAtOnce; ++i) {
    const std::shared_ptr<PendingHandshake> handshake = AcceptOne();
    if (handshake == nullptr) return;
    handshake->Start();
  }
  poller_->Enqueue([weak = weak_from_this()] {
    if (const auto self = weak.lock()) self->AcceptAll();
  });
}

std::shared_ptr<PendingHandshake> SocketClientSource::AcceptOne() {
  absl::MutexLock lock(mu_);
  if (stopped_) return nullptr;
  absl::StatusOr<UniqueFd> socket = kept_name_->Accept();
  absl::StatusOr<PeerIdentity> peer = PeerIdentity{};
  if (socket.ok() && *socket) peer = IdentifyPeer(socket->get());
  const absl::Status failed = socket.ok() ? peer.status() : socket.status();
  if (!failed.ok()) {
    LOG_EVERY_N_SEC(ERROR, 1) << "cxl:///" << name_.str()
                              << " cannot accept a connection: " << failed.message();
    if (std::exchange(retrying_, true)) return nullptr;
    executor_->RunAfter(kDescriptorPause, [weak = weak_from_this()] {
      if (const auto self = weak.lock()) self->Retry();
    });
    return nullptr;
  }
  if (!*socket) return nullptr;
  return std::make_shared<PendingHandshake>(shared_from_this(), poller_, *std::move(socket), *peer);
}

void SocketClientSource::Queue(std::shared_ptr<PendingHandshake> handshake) {
  std::shared_ptr<PendingHandshake> displaced;
  bool stopped;
  {
    absl::MutexLock lock(mu_);
    stopped = stopped_;
    if (!stopped) displaced = handshakes_.Add(handshake->client(), handshake);
  }
  if (stopped) handshake->Refuse();
  if (displaced != nullptr) displaced->Drop();
}

void SocketClientSource::Retry() {
  {
    absl::MutexLock lock(mu_);
    retrying_ = false;
  }
  AcceptAll();
}

void SocketClientSource::Forget(const PendingHandshake* handshake) {
  absl::MutexLock lock(mu_);
  handshakes_.Remove(handshake);
}

void SocketClientSource::HandOver(UniqueFd socket, ClientHello hello,
                                  const std::optional<KnownClient>& known) {
  if (known.has_value()) hello.peer = known->peer;
  const absl::Status admitted =
      known.has_value() ? absl::OkStatus() : guard_.Admits(socket.get(), hello.peer.uid);
  const PeerTrust trust =
      known.has_value() ? known->trust : JudgePeer(socket.get(), hello.peer, users_);
  if (hello.claim.has_value()) {
    const absl::Status brought = admitted.ok() ? WayBack::Bring(socket, *hello.claim) : admitted;
    if (brought.ok()) return;
    LOG_EVERY_N_SEC(WARNING, 1) << "cxl:///" << name_.str() << " refused a line for calls back of "
                                << PeerIdentityText(hello.peer) << ": " << brought.message();
    SendRefusal(socket.get(), Refusal::kUid, std::string(brought.message()));
    return CloseSocket(std::move(socket));
  }
  if (hello.takes_over) {
    // Clients may go on to see our credentials in the socket that it gets (SO_PEERCRED), so it must
    // be one that could attach a debugger to us.
    if (admitted.ok() && IsTrustedWithMemory(trust)) {
      return kept_name_->AddSuccessor(std::move(socket));
    }
    SendRefusal(socket.get(), Refusal::kUid,
                admitted.ok() ? "the successor is in other user or pid namespaces; both "
                                "servers must trust their uid (trusted_uids)"
                              : std::string(admitted.message()));
    return CloseSocket(std::move(socket));
  }
  auto client = std::make_unique<WaitingSocketClient>(name_, std::move(socket), hello, backing_,
                                                      memory_, trust, known);
  OnClient on_client;
  {
    absl::MutexLock lock(mu_);
    on_client = on_client_;
  }
  if (!on_client) return client->Refuse(Refusal::kShuttingDown, "the server is shutting down");
  std::string reason(admitted.message());
  if (admitted.ok() && backing_.kind != ArenaBacking::Kind::kMemfd && !IsTrustedWithMemory(trust)) {
    reason =
        "the server's arenas are files or huge pages, which a peer can take away under it, so it "
        "shares them only with its own user and root in its own namespaces, and with the uids in "
        "its option trusted_uids";
  }
  if (reason.empty()) return on_client(std::move(client));
  client->Refuse(Refusal::kUid, reason);
  Refused(hello.peer, reason);
}

void SocketClientSource::Refused(const PeerIdentity& client, const std::string& reason) const {
  LOG_EVERY_N_SEC(WARNING, 1) << "cxl:///" << name_.str() << " refused the client with "
                              << PeerIdentityText(client) << ": " << reason;
  if (on_refused_) on_refused_(reason);
}

}  // namespace grpc_cxl::internal
