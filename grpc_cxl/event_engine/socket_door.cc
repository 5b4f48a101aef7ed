#include "grpc_cxl/event_engine/socket_door.h"

#include <chrono>
#include <string>
#include <utility>

#include "absl/log/log.h"
#include "absl/strings/str_cat.h"
#include "grpc_cxl/event_engine/address.h"
#include "grpc_cxl/event_engine/greeting.h"
#include "grpc_cxl/rendezvous/directory.h"

namespace grpc_cxl {
namespace {

// Clients that may be saying hello at the same time. More wait in the socket's queue.
constexpr size_t kMaxGreetings = 128;

// How long to wait for a file descriptor when there is none left.
constexpr auto kDescriptorPause = std::chrono::milliseconds(100);

class SocketCaller final : public Caller {
 public:
  SocketCaller(UniqueFd socket, const ClientHello& hello, const ArenaBacking& backing,
               const MemoryModel& memory)
      : socket_(std::move(socket)), hello_(hello), backing_(backing), memory_(memory) {}

  uint32_t features() const override { return hello_.features; }
  std::string who() const override { return Describe(hello_.peer); }
  bool is_trusted() const override { return Trust{}.Allows(hello_.peer.uid); }

  absl::StatusOr<Meeting> Accept(size_t bytes, ArenaOffer offer) override {
    absl::StatusOr<Arena> arena = Arena::Create(bytes, backing_);
    if (!arena.ok()) return arena.status();
    offer.arena_bytes = arena->size();
    offer.sealed = arena->sealed();
    offer.coherence = memory_.coherence;
    if (absl::Status sent = SendWelcome(socket_.get(), offer, arena->fd()); !sent.ok()) return sent;
    arena->CloseFile();
    return Meeting{.arena = *std::move(arena),
                   .socket = std::move(socket_),
                   .options = {.memory = memory_, .polls = memory_.coherence == Coherence::kFlush}};
  }

  void Refuse(Refusal refusal, const std::string& reason) override {
    SendRefusal(socket_.get(), refusal, reason);
  }

 private:
  UniqueFd socket_;
  const ClientHello hello_;
  const ArenaBacking backing_;
  const MemoryModel memory_;
};

}  // namespace

absl::StatusOr<std::shared_ptr<SocketDoor>> SocketDoor::Open(std::shared_ptr<EventEngine> executor,
                                                             Poller* poller,
                                                             const ServiceName& name,
                                                             const ServerOptions& options,
                                                             const MemoryModel& memory) {
  absl::StatusOr<std::string> directory =
      FindRendezvousDirectory(options.rendezvous_directory, Trust{options.allowed_uids});
  if (!directory.ok()) return directory.status();
  absl::StatusOr<NameListener> listener = NameListener::Listen(*directory, name);
  if (!listener.ok()) return listener.status();
  return std::shared_ptr<SocketDoor>(
      new SocketDoor(std::move(executor), poller, *std::move(listener), name, options, memory));
}

SocketDoor::SocketDoor(std::shared_ptr<EventEngine> executor, Poller* poller, NameListener listener,
                       const ServiceName& name, const ServerOptions& options,
                       const MemoryModel& memory)
    : executor_(std::move(executor)),
      poller_(poller),
      name_(name),
      trust_{options.allowed_uids},
      backing_(options.backing),
      memory_(memory),
      listener_fd_(listener.fd()),
      listener_(std::move(listener)) {}

void SocketDoor::Start(OnCaller on_caller) {
  {
    absl::MutexLock lock(mu_);
    on_caller_ = std::move(on_caller);
  }
  poller_->Add(shared_from_this());
}

void SocketDoor::Stop() {
  poller_->Remove(this);
  OnCaller dropped;
  std::unordered_map<const Greeting*, std::shared_ptr<Greeting>> greetings;
  {
    absl::MutexLock lock(mu_);
    listener_.reset();
    dropped = std::exchange(on_caller_, nullptr);
    greetings.swap(greetings_);
  }
  for (const auto& [key, greeting] : greetings) greeting->Refuse();
}

void SocketDoor::AcceptAll() {
  for (;;) {
    std::shared_ptr<Greeting> greeting;
    {
      absl::MutexLock lock(mu_);
      if (!listener_.has_value()) return;
      paused_ = greetings_.size() >= kMaxGreetings;
      if (paused_) return;
      absl::StatusOr<UniqueFd> socket = listener_->Accept();
      if (!socket.ok()) {
        LOG_EVERY_N_SEC(ERROR, 1) << "cxl:///" << name_.str()
                                  << " cannot accept a connection: " << socket.status().message();
        if (std::exchange(retrying_, true)) return;
        executor_->RunAfter(kDescriptorPause, [weak = weak_from_this()] {
          if (const auto self = weak.lock()) self->Retry();
        });
        return;
      }
      if (!*socket) return;
      greeting = std::make_shared<Greeting>(shared_from_this(), poller_, *std::move(socket));
      greetings_.emplace(greeting.get(), greeting);
    }
    greeting->Start();
  }
}

void SocketDoor::Retry() {
  {
    absl::MutexLock lock(mu_);
    retrying_ = false;
  }
  AcceptAll();
}

void SocketDoor::Forget(const Greeting* greeting) {
  bool resume;
  {
    absl::MutexLock lock(mu_);
    greetings_.erase(greeting);
    resume = paused_;
  }
  if (resume) AcceptAll();
}

void SocketDoor::HandOver(UniqueFd socket, const ClientHello& hello) {
  auto caller = std::make_unique<SocketCaller>(std::move(socket), hello, backing_, memory_);
  OnCaller on_caller;
  {
    absl::MutexLock lock(mu_);
    on_caller = on_caller_;
  }
  if (!on_caller) return caller->Refuse(Refusal::kShuttingDown, "the server is shutting down");
  if (backing_.kind != ArenaBacking::Kind::kMemfd && !caller->is_trusted()) {
    return caller->Refuse(Refusal::kUid,
                          "the server's arenas are files or huge pages, which a peer can take away "
                          "under it, so it shares them only with its own user and root");
  }
  on_caller(std::move(caller));
}

}  // namespace grpc_cxl
