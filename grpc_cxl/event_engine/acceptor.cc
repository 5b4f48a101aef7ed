// SPDX-License-Identifier: Apache-2.0
#include "grpc_cxl/event_engine/acceptor.h"

#include <chrono>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/cleanup/cleanup.h"
#include "absl/log/log.h"
#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "grpc_cxl/coherence/memory_model.h"
#include "grpc_cxl/direct/own_server.h"
#include "grpc_cxl/direct/stream_area.h"
#include "grpc_cxl/event_engine/arena_choice.h"
#include "grpc_cxl/event_engine/budget_limit.h"
#include "grpc_cxl/event_engine/endpoint_assembly.h"
#include "grpc_cxl/event_engine/region_client_source.h"
#include "grpc_cxl/event_engine/settings_registry.h"
#include "grpc_cxl/event_engine/socket_client_source.h"
#include "grpc_cxl/event_engine/status_publisher.h"
#include "grpc_cxl/event_engine/way_back.h"
#include "grpc_cxl/payload/pool_directory.h"
#include "grpc_cxl/rendezvous/host_identity.h"
#include "grpc_cxl/rendezvous/offered_name.h"
#include "grpc_cxl/rendezvous/peer_text.h"
#include "grpc_cxl/rendezvous/rendezvous_directory.h"
#include "grpc_cxl/streams/server_streams.h"

namespace grpc_cxl::internal {
namespace {

// The time that a server's shutdown waits for direct calls. A longer wait would hurt other
// calls: meanwhile gRPC neither takes them nor sends their clients away.
constexpr absl::Duration kShutdownPatience = absl::Milliseconds(10);

// For how long a name that was offered waits for its client, and how many do at a time: each takes
// three file descriptors.
constexpr auto kOfferLasts = std::chrono::seconds(10);
constexpr size_t kMostOffers = 8;

absl::StatusOr<std::shared_ptr<ClientSource>> OpenClientSource(
    const std::shared_ptr<Acceptor::EventEngine>& executor, Watchdog* watchdog,
    const ServiceName& name, const ServerSettings& settings, const ServiceName& guarded_as) {
  if (settings.region.has_value()) {
    return RegionClientSource::Open(executor, *settings.region, name, settings);
  }
  const absl::StatusOr<MemoryModel> memory =
      MakeMemoryModel(settings.coherence, settings.distance, settings.check_flushes);
  if (!memory.ok()) return memory.status();
  return SocketClientSource::Open(executor, watchdog->Assign(), name, settings, *memory,
                                  guarded_as);
}

}  // namespace

absl::StatusOr<std::shared_ptr<Acceptor>> Acceptor::Listen(std::shared_ptr<EventEngine> executor,
                                                           Watchdog* watchdog,
                                                           const CxlAddress& address,
                                                           const ServerLimits& limits) {
  const absl::StatusOr<ListenContext> context =
      SettingsRegistry<ListenContext>::Find(address.options);
  if (!context.ok()) return context.status();
  absl::StatusOr<std::shared_ptr<ClientSource>> source =
      OpenClientSource(executor, watchdog, address.name, context->settings, address.name);
  if (!source.ok()) return source.status();
  std::shared_ptr<Acceptor> acceptor(new Acceptor(std::move(executor), watchdog, *std::move(source),
                                                  address.name, *context, limits,
                                                  /*has_name=*/true));
  RegisterAcceptor(context->server, acceptor);
  return acceptor;
}

std::shared_ptr<Acceptor> Acceptor::Of(std::shared_ptr<EventEngine> executor, Watchdog* watchdog,
                                       std::shared_ptr<ClientSource> source,
                                       const ServiceName& name, const ListenContext& context,
                                       const ServerLimits& limits) {
  std::shared_ptr<Acceptor> acceptor(new Acceptor(std::move(executor), watchdog, std::move(source),
                                                  name, context, limits, /*has_name=*/false));
  RegisterAcceptor(context.server, acceptor);
  return acceptor;
}

Acceptor::Acceptor(std::shared_ptr<EventEngine> executor, Watchdog* watchdog,
                   std::shared_ptr<ClientSource> source, const ServiceName& name,
                   const ListenContext& context, const ServerLimits& limits, bool has_name)
    : executor_(std::move(executor)),
      watchdog_(watchdog),
      name_(name),
      has_name_(has_name),
      settings_(context.settings),
      plain_(context.plain),
      may_have_direct_calls_(context.direct_calls),
      limits_(limits),
      capacity_(CapacityOf(context.server, settings_)),
      budget_(std::make_shared<ConnectionBudget>(settings_.max_connections,
                                                 settings_.max_total_arena_bytes)),
      source_(std::move(source)),
      served_(StatusTable::OfProcess().AddName(name.str(), settings_.directory.rollout,
                                               may_have_direct_calls_)) {
  ShowStatus(settings_);
}

void Acceptor::Start(EndpointCallback on_endpoint) {
  {
    absl::MutexLock lock(mu_);
    on_endpoint_ = std::move(on_endpoint);
  }
  source_->SetOnRefused([served = served_](const std::string& reason) { served->Refused(reason); });
  source_->Start([self = shared_from_this()](std::unique_ptr<WaitingClient> client) {
    self->Answer(*client);
  });
}

void Acceptor::Close() {
  EndpointCallback dropped;
  std::map<std::string, std::shared_ptr<ClientSource>> offered;
  {
    absl::MutexLock lock(mu_);
    stopped_ = true;
    dropped = std::exchange(on_endpoint_, nullptr);
    offered.swap(offered_);
  }
  source_->Stop();
  served_->End();
  for (const auto& [name, source] : offered) {
    if (source != nullptr) source->Stop();
  }
}

std::vector<std::shared_ptr<ServerLinkUser>> Acceptor::Drain() {
  Close();
  return RetireDirectCalls();
}

bool Acceptor::IsDrained() {
  std::vector<std::shared_ptr<EndpointCore>> open;
  bool opening;
  {
    absl::MutexLock lock(mu_);
    opening = opening_ > 0;
    for (const auto& weak : cores_) {
      if (auto core = weak.lock(); core != nullptr && !core->IsOver()) {
        open.push_back(std::move(core));
      }
    }
  }
  for (const auto& core : open) core->SendGoaway();
  return !opening && open.empty();
}

void Acceptor::Stop() {
  Close();
  const absl::Time deadline = absl::Now() + kShutdownPatience;
  for (const auto& connection : RetireDirectCalls()) connection->AwaitResponses(deadline);
  std::vector<std::weak_ptr<HeldEndpoint>> held;
  {
    absl::MutexLock lock(mu_);
    held.swap(held_);
  }
  for (const auto& weak : held) {
    if (const auto endpoint = weak.lock()) endpoint->Drop();
  }
}

std::vector<std::shared_ptr<ServerLinkUser>> Acceptor::RetireDirectCalls() {
  std::shared_ptr<CallHandler> dropped;
  std::vector<std::shared_ptr<ServerLinkUser>> connections;
  {
    absl::MutexLock lock(mu_);
    retired_ = true;
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
  if (retired_) return;
  handler_ = std::move(handler);
  for (const auto& weak : connections_) {
    if (const auto connection = weak.lock()) connection->SetHandler(handler_);
  }
}

void Acceptor::TellCapacity() {
  std::vector<std::shared_ptr<ServerLinkUser>> connections;
  {
    absl::MutexLock lock(mu_);
    for (const auto& weak : connections_) {
      if (auto connection = weak.lock()) connections.push_back(std::move(connection));
    }
  }
  for (const auto& connection : connections) connection->TellCapacity();
}

void Acceptor::Answer(WaitingClient& client) {
  EndpointCallback on_endpoint;
  {
    absl::MutexLock lock(mu_);
    on_endpoint = on_endpoint_;
    if (on_endpoint) ++opening_;
  }
  if (!on_endpoint) return client.Refuse(Refusal::kShuttingDown, "the server is shutting down");
  const absl::Cleanup opened_or_refused = [this] {
    absl::MutexLock lock(mu_);
    --opening_;
  };
  const bool carries_http2 = (client.features() & kCallsOnly) == 0;
  auto opened = Open(client, carries_http2);
  if (const auto* refused = std::get_if<Refused>(&opened)) {
    LOG_EVERY_N_SEC(WARNING, 1) << "cxl:///" << name_.str() << " refused the client with "
                                << client.who() << ": " << refused->reason;
    served_->Refused(refused->reason);
    return client.Refuse(refused->refusal, refused->reason);
  }
  served_->Accepted();
  if (!carries_http2) return Hold(std::get<0>(std::move(opened)));
  on_endpoint(std::get<0>(std::move(opened)));
}

std::variant<std::unique_ptr<Acceptor::EventEngine::Endpoint>, Acceptor::Refused> Acceptor::Open(
    WaitingClient& client, bool carries_http2, const std::string& line_name) {
  auto chosen = ChooseArena(settings_, may_have_direct_calls_ ? client.features() : kNoFeatures,
                            client.reserves_on_use(), *budget_, client.quota());
  if (const auto* refused = std::get_if<ConnectionBudget::Refused>(&chosen)) {
    const bool connections = refused->of == ConnectionBudget::Short::kConnections;
    return Refused{connections ? Refusal::kConnectionLimit : Refusal::kArenaBudget,
                   refused->reason};
  }
  const ArenaChoice& choice = std::get<ArenaChoice>(chosen);
  const LinkSizes& sizes = choice.sizes;
  if (sizes.ring_bytes < settings_.ring_bytes) {
    LOG_EVERY_N_SEC(WARNING, 10)
        << "cxl:///" << name_.str() << ": the budget for arenas is nearly used up, so new "
        << "connections get small ones, without payload blocks and direct calls "
        << "(ServerOptions::max_total_arena_bytes)";
  }
  std::string who = client.who();
  // Before the client knows that it may bring lines.
  std::shared_ptr<WayBack> way_back;
  if (const std::optional<LineSource> lines = client.lines(); lines.has_value() && has_name_) {
    way_back = WayBack::Make(executor_, *lines, {who, client.trust()}, settings_);
    who = WithWayBack(who, way_back->number());
  }
  const auto granted_pages = static_cast<uint32_t>(sizes.granted_pages);
  const ArenaOffer offer{.ring_bytes = sizes.ring_bytes,
                         .payload_bytes = sizes.payload_bytes,
                         .call_buffer_bytes = static_cast<uint32_t>(settings_.call_buffer_bytes),
                         .granted_pages = granted_pages,
                         .features = (choice.call_areas == 0   ? kNoFeatures
                                      : choice.call_areas == 1 ? kDirectCalls
                                                               : kDirectCalls | kMoreCallAreas) |
                                     (choice.streams ? kDirectStreams : kNoFeatures) |
                                     (way_back == nullptr ? kNoFeatures : kServesBack) |
                                     (client.features() & kCallsOnly),
                         .line_name = way_back == nullptr ? "" : line_name};
  absl::StatusOr<LinkParts> parts = client.Accept(choice.arena_bytes, offer);
  if (!parts.ok()) return Refused{Refusal::kNoMemory, std::string(parts.status().message())};
  // Unmapping the arena returns both, the budget's lease first.
  parts->options.lease =
      std::make_shared<std::pair<std::shared_ptr<void>, std::shared_ptr<ConnectionBudget::Lease>>>(
          std::move(parts->options.lease), choice.lease);
  if (client.reserves_on_use()) {
    parts->options.own_limit = std::make_unique<BudgetLimit>(choice.lease, 0);
    parts->options.peer_limit = std::make_unique<BudgetLimit>(choice.lease, granted_pages);
  }
  const OwnServer::File file(parts->arena.device(), parts->arena.inode());
  const std::string identity = SealedIdentity(who);
  const std::string peer = PeerText(name_, identity);
  const ConnectionTerms terms{.side = Link::Side::kServer,
                              .name = name_,
                              .peer_identity = identity,
                              .trust = client.trust(),
                              .pool_key = ServerPoolKey(peer),
                              .sizes = sizes,
                              .settings = settings_};
  ServerLinkUser* user = nullptr;
  absl::StatusOr<std::shared_ptr<EndpointCore>> core =
      AssembleCore(*std::move(parts), terms, executor_, [&](Link* link) {
        auto made = std::make_unique<ServerLinkUser>(
            link, settings_.call_buffer_bytes, choice.call_areas,
            std::make_shared<CallBudgetOfLease>(choice.lease), IsTrustedWithMemory(terms.trust),
            peer, OwnServer::Of(file), capacity_->calls, HasReplicas(name_, settings_));
        if (choice.streams) {
          made->AddStreams(std::make_unique<ServerStreams>(
              StreamsOf(link, settings_.call_buffer_bytes, choice.call_areas),
              [lease = choice.lease](size_t bytes) { return lease->Grow(bytes); }));
        }
        user = made.get();
        return made;
      });
  if (!core.ok()) return Refused{Refusal::kNoMemory, std::string(core.status().message())};
  if (way_back != nullptr) way_back->LiveWith(**core);
  // Before the poller reads from the client: the first call must find direct calls enabled.
  Enlist(*core, user, carries_http2);
  return StartEndpoint(*std::move(core), terms, watchdog_->Assign());
}

std::string Acceptor::Offer(const std::string& identity) {
  if (settings_.region.has_value() || !has_name_) return "";
  const absl::StatusOr<RendezvousDirectory> directory =
      RendezvousDirectory::Find(settings_.directory);
  if (!directory.ok() || identity.empty() || HostIdentity(*directory) != identity) return "";
  const ServiceName name = NewOfferedName();
  {
    absl::MutexLock lock(mu_);
    if (stopped_ || handler_ == nullptr || offered_.size() >= kMostOffers) return "";
    offered_.emplace(name.str(), nullptr);
  }
  absl::StatusOr<std::shared_ptr<ClientSource>> source =
      OpenClientSource(executor_, watchdog_, name, settings_, name_);
  {
    absl::MutexLock lock(mu_);
    if (!source.ok()) offered_.erase(name.str());
    if (!source.ok() || stopped_) return "";
    offered_[name.str()] = *source;
  }
  const std::weak_ptr<Acceptor> weak = weak_from_this();
  (*source)->Start([weak, name = name.str()](std::unique_ptr<WaitingClient> client) {
    const std::shared_ptr<Acceptor> self = weak.lock();
    if (self == nullptr) {
      return client->Refuse(Refusal::kShuttingDown, "the server is shutting down");
    }
    self->AnswerOffered(*client);
    // Not from inside its own call.
    self->executor_->Run([self, name] { self->EndOffer(name); });
  });
  executor_->RunAfter(kOfferLasts, [weak, name = name.str()] {
    if (const std::shared_ptr<Acceptor> self = weak.lock()) self->EndOffer(name);
  });
  return name.str();
}

void Acceptor::EndOffer(const std::string& name) {
  std::shared_ptr<ClientSource> source;
  {
    absl::MutexLock lock(mu_);
    const auto found = offered_.find(name);
    if (found == offered_.end()) return;
    source = std::move(found->second);
    offered_.erase(found);
  }
  source->Stop();
}

void Acceptor::AnswerOffered(WaitingClient& client) {
  // The name that it has found ends now.
  auto opened = Open(client, /*carries_http2=*/false, source_->own_name().str());
  if (const auto* refused = std::get_if<Refused>(&opened)) {
    return client.Refuse(refused->refusal, refused->reason);
  }
  Hold(std::get<0>(std::move(opened)));
}

void Acceptor::Hold(std::unique_ptr<EventEngine::Endpoint> endpoint) {
  const auto held = std::make_shared<HeldEndpoint>(executor_, std::move(endpoint));
  {
    absl::MutexLock lock(mu_);
    std::erase_if(held_, [](const auto& endpoint) { return endpoint.expired(); });
    if (!stopped_) {
      held_.push_back(held);
      return held->Start();
    }
  }
  held->Drop();
}

void Acceptor::Enlist(const std::shared_ptr<EndpointCore>& core, ServerLinkUser* user,
                      bool carries_http2) {
  absl::MutexLock lock(mu_);
  std::erase_if(cores_, [](const auto& weak) { return weak.expired(); });
  if (plain_ && carries_http2) cores_.push_back(core);
  if (retired_ || user == nullptr) return;
  const std::shared_ptr<ServerLinkUser> connection(core, user);
  std::erase_if(connections_, [](const auto& weak) { return weak.expired(); });
  connections_.push_back(connection);
  if (handler_ != nullptr) connection->SetHandler(handler_);
}

}  // namespace grpc_cxl::internal
