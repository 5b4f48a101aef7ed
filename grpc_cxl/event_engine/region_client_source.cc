// SPDX-License-Identifier: Apache-2.0
#include "grpc_cxl/event_engine/region_client_source.h"

#include <string>
#include <utility>

#include "grpc_cxl/rendezvous/name_files.h"
#include "grpc_cxl/rendezvous/peer_text.h"

namespace grpc_cxl::internal {
namespace {

class RegionLiveness final : public Liveness {
 public:
  explicit RegionLiveness(std::shared_ptr<RegionConnection> connection)
      : connection_(std::move(connection)) {}

  bool PeerGone() override { return connection_->PeerGone(); }
  void Close() override { connection_->Close(); }

 private:
  const std::shared_ptr<RegionConnection> connection_;
};

class WaitingRegionClient final : public WaitingClient {
 public:
  WaitingRegionClient(std::shared_ptr<RegionNode> node, const RegionRequest& request,
                      const MemoryModel& memory)
      : node_(std::move(node)), request_(request), memory_(memory) {}

  uint32_t features() const override { return request_.record.features; }
  std::string who() const override {
    return RegionPeerText(request_.record.owner.host, request_.pid);
  }
  // No kernel vouches for the client, and every process that maps the region can change its blocks.
  PeerTrust trust() const override { return PeerTrust::kStranger; }
  std::string quota() const override { return ""; }  // the region gives each host a part

  bool reserves_on_use() const override { return false; }

  absl::StatusOr<LinkParts> Accept(size_t bytes, ArenaOffer offer) override {
    AnswerRecord terms;
    terms.ring_bytes = offer.ring_bytes;
    terms.payload_bytes = offer.payload_bytes;
    terms.call_buffer_bytes = offer.call_buffer_bytes;
    terms.features = offer.features;
    terms.coherence = static_cast<uint32_t>(memory_.coherence);
    absl::StatusOr<RegionOffer> made = node_->Accept(request_, bytes, terms);
    if (!made.ok()) return made.status();
    return LinkParts{.arena = *std::move(made->arena),
                     .socket = UniqueFd(),
                     .options = {.memory = memory_,
                                 .polls = true,
                                 .liveness = LivenessOf(made->connection),
                                 .lease = made->connection,
                                 .fence = made->connection->fence()}};
  }

  void Refuse(Refusal refusal, const std::string& reason) override {
    node_->Refuse(request_, static_cast<uint32_t>(refusal), reason);
  }

 private:
  const std::shared_ptr<RegionNode> node_;
  const RegionRequest request_;
  const MemoryModel memory_;
};

}  // namespace

std::unique_ptr<Liveness> LivenessOf(std::shared_ptr<RegionConnection> connection) {
  return std::make_unique<RegionLiveness>(std::move(connection));
}

absl::StatusOr<std::shared_ptr<RegionClientSource>> RegionClientSource::Open(
    std::shared_ptr<EventEngine> executor, const RegionOptions& region, const ServiceName& name,
    const EndpointSettings& settings) {
  const std::string& rollout = settings.directory.rollout;
  if (absl::Status status = CheckLength(name, rollout); !status.ok()) return status;
  absl::StatusOr<std::shared_ptr<RegionNode>> node = RegionNode::Get(region);
  if (!node.ok()) return node.status();
  absl::StatusOr<MemoryModel> memory = MakeMemoryModel((*node)->region().model().coherence,
                                                       settings.distance, settings.check_flushes);
  if (!memory.ok()) return memory.status();
  memory->machine = (*node)->region().model().machine;
  std::shared_ptr<RegionClientSource> source(
      new RegionClientSource(std::move(executor), *node, name, *memory));
  absl::StatusOr<uint64_t> listener =
      (*node)->Listen(NameInRollout(name, rollout),
                      [weak = std::weak_ptr<RegionClientSource>(source)](const auto& request) {
                        if (const auto self = weak.lock()) self->OnRequest(request);
                      });
  if (!listener.ok()) return listener.status();
  absl::MutexLock lock(source->mu_);
  source->listener_ = *listener;
  return source;
}

void RegionClientSource::OnRequest(const RegionRequest& request) {
  {
    absl::MutexLock lock(mu_);
    if (stopped_) return;  // the client sees that the name has gone
    if (!on_client_) {
      early_.push_back(request);
      return;
    }
  }
  // Not on the region's thread: zeroing an arena takes a while.
  executor_->Run([self = shared_from_this(), request] { self->HandOver(request); });
}

void RegionClientSource::HandOver(const RegionRequest& request) {
  auto client = std::make_unique<WaitingRegionClient>(node_, request, memory_);
  OnClient on_client;
  {
    absl::MutexLock lock(mu_);
    on_client = on_client_;
  }
  if (!on_client) return client->Refuse(Refusal::kShuttingDown, "the server is shutting down");
  on_client(std::move(client));
}

void RegionClientSource::Start(OnClient on_client) {
  std::vector<RegionRequest> early;
  {
    absl::MutexLock lock(mu_);
    on_client_ = std::move(on_client);
    early.swap(early_);
  }
  for (const RegionRequest& request : early) OnRequest(request);
}

void RegionClientSource::Stop() {
  OnClient dropped;
  std::vector<RegionRequest> early;
  uint64_t listener;
  {
    absl::MutexLock lock(mu_);
    stopped_ = true;
    listener = listener_;
    dropped = std::exchange(on_client_, nullptr);
    early.swap(early_);
  }
  node_->StopListening(listener);
  for (const RegionRequest& request : early) HandOver(request);
}

}  // namespace grpc_cxl::internal
