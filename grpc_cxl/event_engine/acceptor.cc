#include "grpc_cxl/event_engine/acceptor.h"

#include <chrono>
#include <utility>
#include <vector>

#include "absl/log/log.h"
#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "grpc_cxl/arena/arena.h"
#include "grpc_cxl/direct/call_layout.h"
#include "grpc_cxl/event_engine/endpoint.h"
#include "grpc_cxl/event_engine/greeting.h"
#include "grpc_cxl/event_engine/options_registry.h"
#include "grpc_cxl/link/link.h"
#include "grpc_cxl/payload/pool_directory.h"
#include "grpc_cxl/rendezvous/directory.h"

namespace grpc_cxl {
namespace {

// Clients that may be saying hello at the same time. More wait in the socket's queue.
constexpr size_t kMaxGreetings = 128;

// How long to wait for a file descriptor when there is none left.
constexpr auto kDescriptorPause = std::chrono::milliseconds(100);

// How long a server that shuts down waits for its direct calls. Longer would hurt other
// calls: until gRPC goes on, it neither takes them nor tells their clients to go away.
constexpr absl::Duration kShutdownPatience = absl::Milliseconds(10);

}  // namespace

absl::StatusOr<std::shared_ptr<Acceptor>> Acceptor::Listen(std::shared_ptr<EventEngine> executor,
                                                           Watchdog* watchdog,
                                                           const CxlAddress& address) {
  const ListenContext context = OptionsRegistry<ListenContext>::Find(address.options);
  const ServerOptions& options = context.options;
  if (absl::Status status = Validate(options); !status.ok()) return status;
  absl::StatusOr<SpinBudget> spin =
      SpinBudgetFromEnvironment(options.wait_policy, options.max_spin);
  if (!spin.ok()) return spin.status();
  absl::StatusOr<std::string> directory =
      FindRendezvousDirectory(options.rendezvous_directory, Trust{options.allowed_uids});
  if (!directory.ok()) return directory.status();
  absl::StatusOr<NameListener> listener = NameListener::Listen(*directory, address.name);
  if (!listener.ok()) return listener.status();
  std::shared_ptr<Acceptor> acceptor(new Acceptor(
      std::move(executor), watchdog, *std::move(listener), address.name, context, *spin));
  if (context.direct_calls) RegisterAcceptor(context.server, acceptor);
  return acceptor;
}

Acceptor::Acceptor(std::shared_ptr<EventEngine> executor, Watchdog* watchdog, NameListener listener,
                   const ServiceName& name, const ListenContext& context, SpinBudget spin)
    : executor_(std::move(executor)),
      watchdog_(watchdog),
      poller_(watchdog->Assign()),
      name_(name),
      options_(context.options),
      trust_{options_.allowed_uids},
      spin_(spin),
      budget_(std::make_shared<ConnectionBudget>(options_.max_connections,
                                                 options_.max_total_arena_bytes)),
      listener_fd_(listener.fd()),
      listener_(std::move(listener)) {}

void Acceptor::Start(EndpointCallback on_endpoint) {
  {
    absl::MutexLock lock(mu_);
    on_endpoint_ = std::move(on_endpoint);
  }
  poller_->Add(shared_from_this());
}

void Acceptor::Stop() {
  poller_->Remove(this);
  EndpointCallback dropped;
  std::unordered_map<const Greeting*, std::shared_ptr<Greeting>> greetings;
  {
    absl::MutexLock lock(mu_);
    listener_.reset();
    dropped = std::exchange(on_endpoint_, nullptr);
    greetings.swap(greetings_);
  }
  for (const auto& [key, greeting] : greetings) greeting->Refuse();
  const absl::Time deadline = absl::Now() + kShutdownPatience;
  for (const auto& connection : RetireDirectCalls()) connection->AwaitResponses(deadline);
}

std::vector<std::shared_ptr<ServerConnection>> Acceptor::RetireDirectCalls() {
  std::shared_ptr<CallHandler> dropped;
  std::vector<std::shared_ptr<ServerConnection>> connections;
  {
    absl::MutexLock lock(mu_);
    dropped = std::exchange(handler_, nullptr);
    for (const auto& weak : std::exchange(connections_, {})) {
      if (auto connection = weak.lock()) connections.push_back(std::move(connection));
    }
  }
  for (const auto& connection : connections) connection->Retire();
  return connections;
}

void Acceptor::EnableDirectCalls(std::shared_ptr<CallHandler> handler) {
  absl::MutexLock lock(mu_);
  if (listener_.has_value()) handler_ = std::move(handler);
}

void Acceptor::AcceptAll() {
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

void Acceptor::Retry() {
  {
    absl::MutexLock lock(mu_);
    retrying_ = false;
  }
  AcceptAll();
}

void Acceptor::Forget(const Greeting* greeting) {
  bool resume;
  {
    absl::MutexLock lock(mu_);
    greetings_.erase(greeting);
    resume = paused_;
  }
  if (resume) AcceptAll();
}

void Acceptor::Answer(UniqueFd socket, const ClientHello& hello) {
  EndpointCallback on_endpoint;
  {
    absl::MutexLock lock(mu_);
    on_endpoint = on_endpoint_;
  }
  if (!on_endpoint) {
    return SendRefusal(socket.get(), Refusal::kShuttingDown, "the server is shutting down");
  }
  auto opened = Open(socket, hello);
  if (const auto* refused = std::get_if<Refused>(&opened)) {
    LOG_EVERY_N_SEC(WARNING, 1) << "cxl:///" << name_.str() << " refused the client with pid "
                                << hello.peer.pid << ": " << refused->reason;
    return SendRefusal(socket.get(), refused->refusal, refused->reason);
  }
  on_endpoint(std::get<0>(std::move(opened)));
}

std::variant<std::unique_ptr<Acceptor::EventEngine::Endpoint>, Acceptor::Refused> Acceptor::Open(
    UniqueFd& socket, const ClientHello& hello) {
  if (options_.backing.kind != ArenaBacking::Kind::kMemfd && !Trust{}.Allows(hello.peer.uid)) {
    return Refused{Refusal::kUid,
                   "the server's arenas are files or huge pages, which a peer can take away under "
                   "it, so it shares them only with its own user and root"};
  }
  const bool direct = OffersDirectCalls() && (hello.features & kDirectCalls) != 0;
  const LinkSizes sizes{
      .ring_bytes = options_.ring_bytes,
      .payload_bytes = options_.payload_bytes,
      .call_bytes = direct ? CallRegionBytes(options_.call_buffer_bytes) : 0,
  };
  const size_t arena_bytes = std::max(options_.arena_bytes, ArenaBytes(sizes));
  auto lease = budget_->Take(arena_bytes);
  if (const auto* refused = std::get_if<ConnectionBudget::Refused>(&lease)) {
    const bool connections = refused->of == ConnectionBudget::Short::kConnections;
    return Refused{connections ? Refusal::kConnectionLimit : Refusal::kArenaBudget,
                   refused->reason};
  }
  absl::StatusOr<Arena> arena = Arena::Create(arena_bytes, options_.backing);
  if (!arena.ok()) return Refused{Refusal::kNoMemory, std::string(arena.status().message())};
  ArenaOffer offer;
  offer.arena_bytes = arena->size();
  offer.ring_bytes = options_.ring_bytes;
  offer.payload_bytes = options_.payload_bytes;
  offer.call_buffer_bytes = static_cast<uint32_t>(options_.call_buffer_bytes);
  offer.sealed = arena->sealed();
  offer.features = direct ? kDirectCalls : kNoFeatures;
  if (absl::Status sent = SendWelcome(socket.get(), offer, arena->fd()); !sent.ok()) {
    return Refused{Refusal::kShuttingDown, std::string(sent.message())};
  }
  arena->CloseFile();
  absl::StatusOr<std::unique_ptr<Link>> link =
      Link::Create(Link::Side::kServer, *std::move(arena), std::move(socket), sizes,
                   std::make_shared<ConnectionBudget::Lease>(std::get<0>(std::move(lease))));
  if (!link.ok()) return Refused{Refusal::kNoMemory, std::string(link.status().message())};
  Link* const raw_link = link->get();
  EnterPool(ServerPoolKey(PeerText(name_, hello.peer)), raw_link->pool());
  std::unique_ptr<ServerConnection> connection;
  if (direct) {
    connection = std::make_unique<ServerConnection>(
        raw_link->call_region(), options_.call_buffer_bytes, [raw_link] { raw_link->Ring(); },
        CallBlocks{raw_link->pool(), raw_link->borrower(), Trust{}.Allows(hello.peer.uid)},
        PeerText(name_, hello.peer));
  }
  ServerConnection* const raw_connection = connection.get();
  const auto core = std::make_shared<EndpointCore>(
      *std::move(link), spin_, executor_, Trust{}.Allows(hello.peer.uid), std::move(connection));
  if (direct) {
    raw_connection->SetOwner(
        core, [raw = core.get()] { raw->UserIdle(); },
        [raw = core.get()](absl::Status why) { raw->End(std::move(why)); });
    Enlist(std::shared_ptr<ServerConnection>(core, raw_connection));
  }
  return std::make_unique<Endpoint>(core, watchdog_->Assign(), EncodeAddress({name_}),
                                    PeerAddress(name_, hello.peer));
}

void Acceptor::Enlist(const std::shared_ptr<ServerConnection>& connection) {
  absl::MutexLock lock(mu_);
  if (handler_ == nullptr) return;  // stopped meanwhile
  std::erase_if(connections_, [](const auto& weak) { return weak.expired(); });
  connections_.push_back(connection);
  connection->SetHandler(handler_);
}

bool Acceptor::OffersDirectCalls() {
  absl::MutexLock lock(mu_);
  return handler_ != nullptr;
}

}  // namespace grpc_cxl
