#include "grpc_cxl/event_engine/region_door.h"

#include <string>
#include <utility>

#include "absl/strings/str_cat.h"

namespace grpc_cxl {
namespace {

std::string HostAndPid(uint32_t host, uint32_t pid) {
  return absl::StrCat("host=", host, ",pid=", pid);
}

class RegionLiveness final : public Liveness {
 public:
  explicit RegionLiveness(std::shared_ptr<RegionConnection> connection)
      : connection_(std::move(connection)) {}

  bool PeerGone() override { return connection_->PeerGone(); }
  void Close() override { connection_->Close(); }

 private:
  const std::shared_ptr<RegionConnection> connection_;
};

class RegionCaller final : public Caller {
 public:
  RegionCaller(std::shared_ptr<RegionNode> node, const RegionNode::Request& request,
               const MemoryModel& memory)
      : node_(std::move(node)), request_(request), memory_(memory) {}

  uint32_t features() const override { return request_.record.features; }
  std::string who() const override { return HostAndPid(request_.record.owner.host, request_.pid); }
  // No kernel vouches for it, and everybody who maps the region could change what it lends.
  bool is_trusted() const override { return false; }

  absl::StatusOr<Meeting> Accept(size_t bytes, ArenaOffer offer) override {
    AnswerRecord terms;
    terms.ring_bytes = offer.ring_bytes;
    terms.payload_bytes = offer.payload_bytes;
    terms.call_buffer_bytes = offer.call_buffer_bytes;
    terms.features = offer.features;
    terms.coherence = static_cast<uint32_t>(memory_.coherence);
    absl::StatusOr<RegionOffer> made = node_->Accept(request_, bytes, terms);
    if (!made.ok()) return made.status();
    return Meeting{.arena = *std::move(made->arena),
                   .socket = UniqueFd(),
                   .options = {.memory = memory_,
                               .polls = true,
                               .liveness = LivenessOf(made->connection),
                               .lease = made->connection}};
  }

  void Refuse(Refusal refusal, const std::string& reason) override {
    node_->Refuse(request_, static_cast<uint32_t>(refusal), reason);
  }

 private:
  const std::shared_ptr<RegionNode> node_;
  const RegionNode::Request request_;
  const MemoryModel memory_;
};

}  // namespace

std::unique_ptr<Liveness> LivenessOf(std::shared_ptr<RegionConnection> connection) {
  return std::make_unique<RegionLiveness>(std::move(connection));
}

std::string Describe(const RegionConnection& connection) {
  return HostAndPid(connection.peer_host(), connection.peer_pid());
}

absl::StatusOr<std::shared_ptr<RegionDoor>> RegionDoor::Open(std::shared_ptr<EventEngine> executor,
                                                             const RegionOptions& region,
                                                             const ServiceName& name,
                                                             const MemoryDistance& distance) {
  absl::StatusOr<std::shared_ptr<RegionNode>> node = RegionNode::Get(region);
  if (!node.ok()) return node.status();
  absl::StatusOr<MemoryModel> memory =
      MemoryModelFromEnvironment((*node)->region().model().coherence, distance);
  if (!memory.ok()) return memory.status();
  std::shared_ptr<RegionDoor> door(new RegionDoor(std::move(executor), *node, *memory));
  absl::StatusOr<uint64_t> listener =
      (*node)->Listen(name.str(), [weak = std::weak_ptr<RegionDoor>(door)](const auto& request) {
        if (const auto self = weak.lock()) self->OnRequest(request);
      });
  if (!listener.ok()) return listener.status();
  absl::MutexLock lock(door->mu_);
  door->listener_ = *listener;
  return door;
}

void RegionDoor::OnRequest(const RegionNode::Request& request) {
  {
    absl::MutexLock lock(mu_);
    if (stopped_) return;  // Stop() waits, then the name is gone: the client finds that out
    if (!on_caller_) {
      early_.push_back(request);
      return;
    }
  }
  // Elsewhere, because zeroing an arena takes a while.
  executor_->Run([self = shared_from_this(), request] { self->HandOver(request); });
}

void RegionDoor::HandOver(const RegionNode::Request& request) {
  auto caller = std::make_unique<RegionCaller>(node_, request, memory_);
  OnCaller on_caller;
  {
    absl::MutexLock lock(mu_);
    on_caller = on_caller_;
  }
  if (!on_caller) return caller->Refuse(Refusal::kShuttingDown, "the server is shutting down");
  on_caller(std::move(caller));
}

void RegionDoor::Start(OnCaller on_caller) {
  std::vector<RegionNode::Request> early;
  {
    absl::MutexLock lock(mu_);
    on_caller_ = std::move(on_caller);
    early.swap(early_);
  }
  for (const RegionNode::Request& request : early) OnRequest(request);
}

void RegionDoor::Stop() {
  OnCaller dropped;
  std::vector<RegionNode::Request> early;
  uint64_t listener;
  {
    absl::MutexLock lock(mu_);
    stopped_ = true;
    listener = listener_;
    dropped = std::exchange(on_caller_, nullptr);
    early.swap(early_);
  }
  node_->StopListening(listener);
  for (const RegionNode::Request& request : early) HandOver(request);
}

}  // namespace grpc_cxl
