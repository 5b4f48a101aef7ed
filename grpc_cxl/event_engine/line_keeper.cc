// SPDX-License-Identifier: Apache-2.0
#include "grpc_cxl/event_engine/line_keeper.h"

#include <algorithm>
#include <chrono>
#include <optional>
#include <utility>

#include "absl/log/log.h"
#include "grpc_cxl/base/foreign_fd.h"
#include "grpc_cxl/event_engine/back_server.h"
#include "grpc_cxl/event_engine/known_client.h"
#include "grpc_cxl/event_engine/numbered.h"
#include "grpc_cxl/polling/pollable.h"
#include "grpc_cxl/rendezvous/dial.h"
#include "grpc_cxl/rendezvous/line.h"
#include "grpc_cxl/rendezvous/peer_trust.h"
#include "grpc_cxl/rendezvous/rendezvous_directory.h"

namespace grpc_cxl::internal {
namespace {

constexpr int kMostDoublings = 6;
constexpr int kSaysWhy = 4;  // failures before

}  // namespace

// A connected socket on which the server may say hello. Owned by the poller as well.
class LineKeeper::Line final : public Pollable {
 public:
  Line(std::weak_ptr<LineKeeper> keeper, UniqueFd socket, const PeerIdentity& server,
       PeerTrust trust)
      : server(server), trust(trust), keeper_(std::move(keeper)), socket_(std::move(socket)) {}
  ~Line() override { CloseSocket(Take()); }

  int fd() const override { return socket_.get(); }
  void OnFdReadable() override {
    if (const auto keeper = keeper_.lock()) keeper->OnReadable(*this);
  }

  // nullopt: not yet, or another thread has had it.
  absl::StatusOr<std::optional<ClientHello>> Receive(const LineKey& key) {
    absl::MutexLock lock(mu_);  // see Pollable: a leader deposed in a call may still be in it
    if (!socket_) return std::nullopt;
    return ReceiveHelloOnLine(socket_.get(), key);
  }
  UniqueFd Take() {
    absl::MutexLock lock(mu_);
    return std::move(socket_);
  }

  const PeerIdentity server;
  const PeerTrust trust;

 private:
  const std::weak_ptr<LineKeeper> keeper_;
  absl::Mutex mu_;
  UniqueFd socket_;  // moved out under mu_, after Remove()
};

// Of a connection back, as long as its memory is in use.
class LineKeeper::Ticket {
 public:
  explicit Ticket(std::weak_ptr<LineKeeper> keeper) : keeper_(std::move(keeper)) {}
  ~Ticket() {
    const bool lasted = std::chrono::steady_clock::now() - begin_ >= kLasting;
    if (const auto keeper = keeper_.lock()) keeper->OnEnded(lasted);
  }

 private:
  const std::weak_ptr<LineKeeper> keeper_;
  const std::chrono::steady_clock::time_point begin_ = std::chrono::steady_clock::now();
};

void LineKeeper::Start(Terms terms, EndpointCore& connection) {
  const auto keeper = std::make_shared<LineKeeper>(std::move(terms));
  connection.OnEnd([keeper](const absl::Status&) {
    keeper->Close();
    keeper->bond_->End();
  });
  absl::MutexLock lock(keeper->mu_);
  keeper->ConnectAfter(EventEngine::Duration::zero());
}

LineKeeper::EventEngine::Duration LineKeeper::Pause() const {
  return std::min<EventEngine::Duration>(kPause * (1 << failures_), kLongestPause);
}

void LineKeeper::ConnectAfter(EventEngine::Duration pause) {
  if (closed_ || line_ != nullptr || connections_ >= kMost) return;
  if (std::exchange(connecting_, true)) return;
  terms_.executor->RunAfter(pause, [weak = weak_from_this()] {
    if (const auto self = weak.lock()) self->ConnectNow();
  });
}

absl::StatusOr<std::shared_ptr<LineKeeper::Line>> LineKeeper::Connect() {
  if (TooManyToClose()) {
    return absl::ResourceExhaustedError("files of other peers take long to be closed");
  }
  const absl::StatusOr<RendezvousDirectory> directory =
      RendezvousDirectory::Open(terms_.settings.directory);
  if (!directory.ok()) return directory.status();
  absl::StatusOr<UniqueFd> dialled = Dial(*directory, terms_.name);
  if (!dialled.ok()) return dialled.status();
  ForeignFd server_fd(*std::move(dialled));
  const TrustedUsers& users = terms_.settings.users;
  if (absl::Status trusted = CheckServer(server_fd.get(), users); !trusted.ok()) return trusted;
  absl::StatusOr<PeerIdentity> server = IdentifyPeer(server_fd.get());
  if (!server.ok()) return server.status();
  server->knows_secret = users.secret.has_value();  // as whose knows the key has proved
  const PeerTrust trust = JudgePeer(server_fd.get(), *server, users);
  if (absl::Status sent = SendLine(server_fd.get(), ClaimOf(terms_.key)); !sent.ok()) return sent;
  return std::make_shared<Line>(weak_from_this(), server_fd.Release(), *server, trust);
}

void LineKeeper::ConnectNow() {
  absl::StatusOr<std::shared_ptr<Line>> line = Connect();
  absl::MutexLock lock(mu_);
  connecting_ = false;
  if (closed_) return;
  if (line.ok() && !terms_.poller->Add(*line)) {
    line = absl::ResourceExhaustedError("the kernel watches no more sockets for this user");
  }
  if (!line.ok()) return Failed(line.status());
  line_ = *std::move(line);
}

void LineKeeper::Failed(const absl::Status& why) {
  // Before, it may pass: the server restores its files, or goes away with the connection.
  if (failures_ >= kSaysWhy && !std::exchange(said_why_, true)) {
    LOG(WARNING) << "the server of cxl:///" << terms_.name.str()
                 << " cannot call this client back: " << why.message();
  }
  ConnectAfter(Pause());
  failures_ = std::min(failures_ + 1, kMostDoublings);
}

void LineKeeper::OnReadable(Line& line) {
  const absl::StatusOr<std::optional<ClientHello>> hello = line.Receive(terms_.key);
  if (hello.ok() && !hello->has_value()) return;
  terms_.poller->Remove(&line);
  UniqueFd socket = line.Take();
  if (!socket) return;
  std::shared_ptr<Line> kept;
  KnownClient server{.peer = line.server, .trust = line.trust, .bond = bond_};
  {
    absl::MutexLock lock(mu_);
    if (line_.get() == &line) kept = std::move(line_);
    if (hello.ok() && !closed_) {
      ++connections_;
      server.ticket = std::make_shared<Ticket>(weak_from_this());
      ConnectAfter(Pause());
    } else if (!closed_) {
      Failed(hello.status());
    }
  }
  if (server.ticket == nullptr) return CloseSocket(std::move(socket));
  // Elsewhere, because making an arena takes milliseconds (arena.h).
  terms_.executor->Run([number = terms_.server, socket = std::move(socket), hello = **hello,
                        server = std::move(server)]() mutable {
    const std::shared_ptr<BackServer> back = Numbered<BackServer>::Find(number);
    if (back != nullptr) return back->Adopt(std::move(socket), hello, std::move(server));
    SendRefusal(socket.get(), Refusal::kShuttingDown, "the client's server is gone");
    CloseSocket(std::move(socket));
  });
}

void LineKeeper::OnEnded(bool lasted) {
  absl::MutexLock lock(mu_);
  --connections_;
  failures_ = lasted ? 0 : std::min(failures_ + 1, kMostDoublings);
  if (lasted) said_why_ = false;
  ConnectAfter(Pause());
}

void LineKeeper::Close() {
  std::shared_ptr<Line> line;
  {
    absl::MutexLock lock(mu_);
    closed_ = true;
    line = std::move(line_);
  }
  if (line == nullptr) return;
  terms_.poller->Remove(line.get());
  CloseSocket(line->Take());
}

}  // namespace grpc_cxl::internal
