#include "grpc_cxl/event_engine/acceptor.h"

#include <optional>
#include <utility>
#include <vector>

#include "absl/log/log.h"
#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "grpc_cxl/coherence/memory_model.h"
#include "grpc_cxl/direct/call_layout.h"
#include "grpc_cxl/event_engine/endpoint.h"
#include "grpc_cxl/event_engine/options_registry.h"
#include "grpc_cxl/event_engine/region_door.h"
#include "grpc_cxl/event_engine/socket_door.h"
#include "grpc_cxl/link/link.h"
#include "grpc_cxl/payload/pool_directory.h"

namespace grpc_cxl {
namespace {

// How long a server that shuts down waits for its direct calls. Longer would hurt other
// calls: until gRPC goes on, it neither takes them nor tells their clients to go away.
constexpr absl::Duration kShutdownPatience = absl::Milliseconds(10);

absl::StatusOr<std::shared_ptr<Door>> OpenDoor(
    const std::shared_ptr<Acceptor::EventEngine>& executor, Watchdog* watchdog,
    const ServiceName& name, const ServerOptions& options) {
  const absl::StatusOr<std::optional<RegionOptions>> region = RegionOptionsFromEnvironment();
  if (!region.ok()) return region.status();
  if (region->has_value()) return RegionDoor::Open(executor, **region, name, options.distance);
  absl::StatusOr<Coherence> coherence = CoherenceFromEnvironment(options.coherence);
  if (!coherence.ok()) return coherence.status();
  absl::StatusOr<MemoryModel> memory = MemoryModelFromEnvironment(*coherence, options.distance);
  if (!memory.ok()) return memory.status();
  return SocketDoor::Open(executor, watchdog->Assign(), name, options, *memory);
}

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
  absl::StatusOr<std::shared_ptr<Door>> door = OpenDoor(executor, watchdog, address.name, options);
  if (!door.ok()) return door.status();
  std::shared_ptr<Acceptor> acceptor(
      new Acceptor(std::move(executor), watchdog, *std::move(door), address.name, context, *spin));
  if (context.direct_calls) RegisterAcceptor(context.server, acceptor);
  return acceptor;
}

Acceptor::Acceptor(std::shared_ptr<EventEngine> executor, Watchdog* watchdog,
                   std::shared_ptr<Door> door, const ServiceName& name,
                   const ListenContext& context, SpinBudget spin)
    : executor_(std::move(executor)),
      watchdog_(watchdog),
      name_(name),
      options_(context.options),
      spin_(spin),
      budget_(std::make_shared<ConnectionBudget>(options_.max_connections,
                                                 options_.max_total_arena_bytes)),
      door_(std::move(door)) {}

void Acceptor::Start(EndpointCallback on_endpoint) {
  {
    absl::MutexLock lock(mu_);
    on_endpoint_ = std::move(on_endpoint);
  }
  door_->Start(
      [self = shared_from_this()](std::unique_ptr<Caller> caller) { self->Answer(*caller); });
}

void Acceptor::Stop() {
  EndpointCallback dropped;
  {
    absl::MutexLock lock(mu_);
    stopped_ = true;
    dropped = std::exchange(on_endpoint_, nullptr);
  }
  door_->Stop();
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
  if (!stopped_) handler_ = std::move(handler);
}

void Acceptor::Answer(Caller& caller) {
  EndpointCallback on_endpoint;
  {
    absl::MutexLock lock(mu_);
    on_endpoint = on_endpoint_;
  }
  if (!on_endpoint) return caller.Refuse(Refusal::kShuttingDown, "the server is shutting down");
  auto opened = Open(caller);
  if (const auto* refused = std::get_if<Refused>(&opened)) {
    LOG_EVERY_N_SEC(WARNING, 1) << "cxl:///" << name_.str() << " refused the client with "
                                << caller.who() << ": " << refused->reason;
    return caller.Refuse(refused->refusal, refused->reason);
  }
  on_endpoint(std::get<0>(std::move(opened)));
}

std::variant<std::unique_ptr<Acceptor::EventEngine::Endpoint>, Acceptor::Refused> Acceptor::Open(
    Caller& caller) {
  const bool direct = OffersDirectCalls() && (caller.features() & kDirectCalls) != 0;
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
  const ArenaOffer offer{.ring_bytes = options_.ring_bytes,
                         .payload_bytes = options_.payload_bytes,
                         .call_buffer_bytes = static_cast<uint32_t>(options_.call_buffer_bytes),
                         .features = direct ? kDirectCalls : kNoFeatures};
  absl::StatusOr<Meeting> meeting = caller.Accept(arena_bytes, offer);
  if (!meeting.ok()) return Refused{Refusal::kNoMemory, std::string(meeting.status().message())};
  // Both are given back when the arena is unmapped: our budget first.
  meeting->options.lease =
      std::make_shared<std::pair<std::shared_ptr<void>, ConnectionBudget::Lease>>(
          std::move(meeting->options.lease), std::get<0>(std::move(lease)));
  absl::StatusOr<std::unique_ptr<Link>> link =
      Link::Create(Link::Side::kServer, std::move(meeting->arena), std::move(meeting->socket),
                   sizes, std::move(meeting->options));
  if (!link.ok()) return Refused{Refusal::kNoMemory, std::string(link.status().message())};
  const std::string who = caller.who();
  const bool trusted = caller.is_trusted();
  Link* const raw_link = link->get();
  EnterPool(ServerPoolKey(PeerText(name_, who)), raw_link->pool());
  std::unique_ptr<ServerConnection> connection;
  if (direct) {
    connection = std::make_unique<ServerConnection>(
        raw_link->call_region(), options_.call_buffer_bytes, [raw_link] { raw_link->Ring(); },
        CallBlocks{raw_link->pool(), raw_link->borrower(), trusted}, PeerText(name_, who),
        raw_link->view());
  }
  ServerConnection* const raw_connection = connection.get();
  const auto core = std::make_shared<EndpointCore>(*std::move(link), spin_, executor_, trusted,
                                                   std::move(connection));
  if (direct) {
    raw_connection->SetOwner(
        core, [raw = core.get()] { raw->UserIdle(); },
        [raw = core.get()](absl::Status why) { raw->End(std::move(why)); });
    Enlist(std::shared_ptr<ServerConnection>(core, raw_connection));
  }
  return std::make_unique<Endpoint>(core, watchdog_->Assign(), EncodeAddress({name_}),
                                    PeerAddress(name_, who));
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
