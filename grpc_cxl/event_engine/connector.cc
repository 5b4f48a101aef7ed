#include "grpc_cxl/event_engine/connector.h"

#include <optional>
#include <string>
#include <utility>

#include "absl/base/thread_annotations.h"
#include "absl/strings/str_cat.h"
#include "absl/synchronization/mutex.h"
#include "grpc_cxl/arena/arena.h"
#include "grpc_cxl/coherence/memory_model.h"
#include "grpc_cxl/direct/call_layout.h"
#include "grpc_cxl/event_engine/address.h"
#include "grpc_cxl/event_engine/door.h"
#include "grpc_cxl/event_engine/endpoint.h"
#include "grpc_cxl/event_engine/region_door.h"
#include "grpc_cxl/link/link.h"
#include "grpc_cxl/payload/pool_directory.h"
#include "grpc_cxl/rendezvous/dial.h"
#include "grpc_cxl/rendezvous/directory.h"
#include "grpc_cxl/rendezvous/handshake.h"

namespace grpc_cxl {
namespace {

using grpc_event_engine::experimental::EventEngine;

// What every attempt needs, and what all of them do in the end.
struct Client {
  std::shared_ptr<EventEngine> executor;
  Poller* poller;
  ServiceName name;
  ChannelOptions options;
  std::shared_ptr<ClientLinks> links;  // null: no direct calls
  std::string pool_key;

  uint32_t features() const { return links == nullptr ? kNoFeatures : kDirectCalls; }

  // The server has taken us: `who` it is, and whether what it lends may be read in place.
  absl::StatusOr<std::unique_ptr<EventEngine::Endpoint>> Open(Meeting meeting,
                                                              const ArenaOffer& offer,
                                                              const std::string& who,
                                                              bool trusted) const;
};

absl::StatusOr<std::unique_ptr<EventEngine::Endpoint>> Client::Open(Meeting meeting,
                                                                    const ArenaOffer& offer,
                                                                    const std::string& who,
                                                                    bool trusted) const {
  absl::StatusOr<SpinBudget> spin =
      SpinBudgetFromEnvironment(options.wait_policy, options.max_spin);
  if (!spin.ok()) return spin.status();
  const bool direct = links != nullptr && (offer.features & kDirectCalls) != 0;
  const size_t buffer_bytes = offer.call_buffer_bytes;
  if (direct && !IsCallBufferSize(buffer_bytes)) {
    return absl::FailedPreconditionError(
        absl::StrCat("the server offers call buffers of ", buffer_bytes, " bytes"));
  }
  absl::StatusOr<std::unique_ptr<Link>> link =
      Link::Create(Link::Side::kClient, std::move(meeting.arena), std::move(meeting.socket),
                   {.ring_bytes = offer.ring_bytes,
                    .payload_bytes = offer.payload_bytes,
                    .call_bytes = direct ? CallRegionBytes(buffer_bytes) : 0},
                   std::move(meeting.options));
  if (!link.ok()) return link.status();
  Link* const raw_link = link->get();
  EnterPool(pool_key, raw_link->pool());
  std::unique_ptr<ClientConnection> connection;
  if (direct) {
    connection = std::make_unique<ClientConnection>(
        raw_link->call_region(), buffer_bytes, [raw_link] { raw_link->Ring(); }, links, *spin,
        raw_link->view(), raw_link->polls());
  }
  ClientConnection* const raw_connection = connection.get();
  auto core = std::make_shared<EndpointCore>(*std::move(link), *spin, executor, trusted,
                                             std::move(connection));
  // A client has no name of its own: its local address is the connection's.
  auto endpoint =
      std::make_unique<Endpoint>(core, poller, EncodeAddress({name}), PeerAddress(name, who));
  if (direct) {
    auto client_link = std::make_shared<ClientLink>();
    client_link->owner = core;
    client_link->calls = &raw_connection->calls();
    client_link->blocks = {raw_link->pool(), raw_link->borrower(), trusted};
    client_link->finished = [raw = core.get()] { raw->UserIdle(); };
    client_link->fail = [raw = core.get()](absl::Status why) { raw->End(std::move(why)); };
    links->Add(std::move(client_link));
  }
  return endpoint;
}

absl::Status TooLate(const ServiceName& name) {
  return absl::DeadlineExceededError(
      absl::StrCat("the server of \"", name.str(), "\" did not answer the handshake in time"));
}

// One attempt over a socket, while it waits for the server's Welcome. Three things can end it:
// the socket, the timer, and an error on the way; whoever takes the callback first does.
class SocketAttempt final : public Pollable, public std::enable_shared_from_this<SocketAttempt> {
 public:
  SocketAttempt(Client client, EventEngine::OnConnectCallback on_connect)
      : client_(std::move(client)),
        trust_{client_.options.allowed_uids},
        on_connect_(std::move(on_connect)) {}

  void Start(EventEngine::Duration timeout) {
    if (const absl::Status status = Dial(); !status.ok()) return Finish(status);
    const EventEngine::TaskHandle timer = client_.executor->RunAfter(
        timeout, [self = shared_from_this()] { self->Finish(TooLate(self->client_.name)); });
    absl::MutexLock lock(mu_);
    if (on_connect_ == nullptr) return;  // the timer was faster
    timer_ = timer;
    client_.poller->Add(shared_from_this());  // under the lock: Finish() removes it after this
  }

  int fd() const override { return socket_.get(); }

  void OnFdReadable() override {
    absl::StatusOr<std::unique_ptr<EventEngine::Endpoint>> result;
    {
      // Mapping a large arena takes so long that another thread may make this call beside us.
      absl::MutexLock lock(answer_mu_);
      if (!socket_) return;  // it is the link's by now
      absl::StatusOr<std::optional<Welcome>> welcome = ReceiveWelcome(socket_.get(), trust_);
      if (welcome.ok() && !welcome->has_value()) return;  // not yet
      if (welcome.ok()) {
        result = Open(**std::move(welcome));
      } else {
        result = welcome.status();
      }
    }
    Finish(std::move(result));
  }

 private:
  absl::Status Dial() {
    absl::StatusOr<std::string> directory =
        FindRendezvousDirectory(client_.options.rendezvous_directory, trust_);
    if (!directory.ok()) return directory.status();
    absl::StatusOr<UniqueFd> socket = grpc_cxl::Dial(*directory, client_.name);
    if (!socket.ok()) return socket.status();
    socket_ = *std::move(socket);
    return SendHello(socket_.get(), client_.features());
  }

  absl::StatusOr<std::unique_ptr<EventEngine::Endpoint>> Open(Welcome welcome) {
    absl::StatusOr<MemoryModel> memory =
        MemoryModelFromEnvironment(welcome.offer.coherence, client_.options.distance);
    if (!memory.ok()) return memory.status();
    absl::StatusOr<Arena> arena =
        Arena::Attach(std::move(welcome.arena_fd), welcome.offer.arena_bytes, welcome.offer.sealed);
    if (!arena.ok()) return arena.status();
    arena->CloseFile();
    client_.poller->Remove(this);
    return client_.Open(
        {.arena = *std::move(arena),
         .socket = std::move(socket_),
         .options = {.memory = *memory, .polls = memory->coherence == Coherence::kFlush}},
        welcome.offer, Describe(welcome.peer), Trust{}.Allows(welcome.peer.uid));
  }

  void Finish(absl::StatusOr<std::unique_ptr<EventEngine::Endpoint>> result) {
    EventEngine::OnConnectCallback on_connect;
    EventEngine::TaskHandle timer;
    {
      absl::MutexLock lock(mu_);
      on_connect = std::exchange(on_connect_, nullptr);
      timer = timer_;
    }
    if (!on_connect) return;
    client_.poller->Remove(this);
    if (timer != EventEngine::TaskHandle::kInvalid) client_.executor->Cancel(timer);
    on_connect(std::move(result));
  }

  const Client client_;
  const Trust trust_;
  absl::Mutex answer_mu_;
  UniqueFd socket_;  // not guarded, but given away under answer_mu_ and after Remove()

  absl::Mutex mu_;
  EventEngine::OnConnectCallback on_connect_ ABSL_GUARDED_BY(mu_);
  EventEngine::TaskHandle timer_ ABSL_GUARDED_BY(mu_) = EventEngine::TaskHandle::kInvalid;
};

// One attempt through a region. Ended by the server's answer or the timer, whichever is first.
class RegionAttempt final : public std::enable_shared_from_this<RegionAttempt> {
 public:
  RegionAttempt(Client client, EventEngine::OnConnectCallback on_connect)
      : client_(std::move(client)), on_connect_(std::move(on_connect)) {}

  void Start(const RegionOptions& options, EventEngine::Duration timeout) {
    absl::StatusOr<std::shared_ptr<RegionNode>> node = RegionNode::Get(options);
    if (!node.ok()) return Finish(node.status());
    const auto on_done = [self = shared_from_this()](absl::StatusOr<RegionOffer> offer) {
      // Elsewhere: the region's thread must not wait for gRPC.
      self->client_.executor->Run([self, offer = std::move(offer)]() mutable {
        self->Finish(offer.ok() ? self->Open(*std::move(offer)) : offer.status());
      });
    };
    const uint64_t attempt = (*node)->Connect(client_.name.str(), client_.features(), on_done);
    const EventEngine::TaskHandle timer =
        client_.executor->RunAfter(timeout, [self = shared_from_this(), node = *node, attempt] {
          if (node->Cancel(attempt)) self->Finish(TooLate(self->client_.name));
        });
    absl::MutexLock lock(mu_);
    if (on_connect_ != nullptr) {
      timer_ = timer;
    } else {
      client_.executor->Cancel(timer);
    }
  }

  void Finish(absl::StatusOr<std::unique_ptr<EventEngine::Endpoint>> result) {
    EventEngine::OnConnectCallback on_connect;
    EventEngine::TaskHandle timer;
    {
      absl::MutexLock lock(mu_);
      on_connect = std::exchange(on_connect_, nullptr);
      timer = timer_;
    }
    if (!on_connect) return;
    if (timer != EventEngine::TaskHandle::kInvalid) client_.executor->Cancel(timer);
    on_connect(std::move(result));
  }

 private:
  absl::StatusOr<std::unique_ptr<EventEngine::Endpoint>> Open(RegionOffer made) {
    const AnswerRecord& answer = made.answer;
    if (made.connection == nullptr) return RefusalStatus(answer.refusal, answer.reason);
    if (answer.coherence > static_cast<uint32_t>(Coherence::kFlush)) {
      return absl::FailedPreconditionError(
          absl::StrCat("the server wants coherence ", answer.coherence, " of its memory"));
    }
    absl::StatusOr<MemoryModel> memory = MemoryModelFromEnvironment(
        static_cast<Coherence>(answer.coherence), client_.options.distance);
    if (!memory.ok()) return memory.status();
    const ArenaOffer offer{.arena_bytes = answer.bytes,
                           .ring_bytes = answer.ring_bytes,
                           .payload_bytes = answer.payload_bytes,
                           .call_buffer_bytes = answer.call_buffer_bytes,
                           .features = answer.features};
    // Not trusted: everybody who maps the region could change what is lent.
    return client_.Open({.arena = *std::move(made.arena),
                         .socket = UniqueFd(),
                         .options = {.memory = *memory,
                                     .polls = true,
                                     .liveness = LivenessOf(made.connection),
                                     .lease = made.connection}},
                        offer, Describe(*made.connection), /*trusted=*/false);
  }

  const Client client_;
  absl::Mutex mu_;
  EventEngine::OnConnectCallback on_connect_ ABSL_GUARDED_BY(mu_);
  EventEngine::TaskHandle timer_ ABSL_GUARDED_BY(mu_) = EventEngine::TaskHandle::kInvalid;
};

void Begin(Client client, EventEngine::Duration timeout,
           EventEngine::OnConnectCallback on_connect) {
  if (const absl::Status status = Validate(client.options); !status.ok()) {
    return on_connect(status);
  }
  const absl::StatusOr<std::optional<RegionOptions>> region = RegionOptionsFromEnvironment();
  if (!region.ok()) return on_connect(region.status());
  if (region->has_value()) {
    std::make_shared<RegionAttempt>(std::move(client), std::move(on_connect))
        ->Start(**region, timeout);
  } else {
    std::make_shared<SocketAttempt>(std::move(client), std::move(on_connect))->Start(timeout);
  }
}

}  // namespace

void Connect(std::shared_ptr<EventEngine> executor, Watchdog* watchdog, const ServiceName& name,
             const ChannelOptions& options, std::shared_ptr<ClientLinks> links,
             const std::string& pool_key, EventEngine::Duration timeout,
             EventEngine::OnConnectCallback on_connect) {
  Client client{executor, watchdog->Assign(), name, options, std::move(links), pool_key};
  executor->Run(
      [client = std::move(client), timeout, on_connect = std::move(on_connect)]() mutable {
        Begin(std::move(client), timeout, std::move(on_connect));
      });
}

}  // namespace grpc_cxl
