#include "grpc_cxl/event_engine/connector.h"

#include <optional>
#include <string>
#include <utility>

#include "absl/base/thread_annotations.h"
#include "absl/strings/str_cat.h"
#include "absl/synchronization/mutex.h"
#include "grpc_cxl/arena/arena.h"
#include "grpc_cxl/direct/call_layout.h"
#include "grpc_cxl/event_engine/address.h"
#include "grpc_cxl/event_engine/endpoint.h"
#include "grpc_cxl/link/link.h"
#include "grpc_cxl/payload/pool_directory.h"
#include "grpc_cxl/rendezvous/dial.h"
#include "grpc_cxl/rendezvous/directory.h"
#include "grpc_cxl/rendezvous/handshake.h"

namespace grpc_cxl {
namespace {

using grpc_event_engine::experimental::EventEngine;

// One attempt, while it waits for the server's Welcome. Three things can end it: the
// socket, the timer, and an error on the way; whoever takes the callback first does.
class Attempt final : public Pollable, public std::enable_shared_from_this<Attempt> {
 public:
  Attempt(std::shared_ptr<EventEngine> executor, Watchdog* watchdog, const ServiceName& name,
          const ChannelOptions& options, std::shared_ptr<ClientLinks> links,
          const std::string& pool_key, EventEngine::OnConnectCallback on_connect)
      : executor_(std::move(executor)),
        poller_(watchdog->Assign()),
        name_(name),
        options_(options),
        links_(std::move(links)),
        pool_key_(pool_key),
        trust_{options.allowed_uids},
        on_connect_(std::move(on_connect)) {}

  void Start(EventEngine::Duration timeout) {
    if (const absl::Status status = Dial(); !status.ok()) return Finish(status);
    const EventEngine::TaskHandle timer = executor_->RunAfter(timeout, [self = shared_from_this()] {
      self->Finish(absl::DeadlineExceededError(absl::StrCat(
          "the server of \"", self->name_.str(), "\" did not answer the handshake in time")));
    });
    absl::MutexLock lock(mu_);
    if (on_connect_ == nullptr) return;  // the timer was faster
    timer_ = timer;
    poller_->Add(shared_from_this());  // under the lock: Finish() removes it after this
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
    if (absl::Status status = Validate(options_); !status.ok()) return status;
    absl::StatusOr<std::string> directory =
        FindRendezvousDirectory(options_.rendezvous_directory, trust_);
    if (!directory.ok()) return directory.status();
    absl::StatusOr<UniqueFd> socket = grpc_cxl::Dial(*directory, name_);
    if (!socket.ok()) return socket.status();
    socket_ = *std::move(socket);
    return SendHello(socket_.get(), links_ == nullptr ? kNoFeatures : kDirectCalls);
  }

  absl::StatusOr<std::unique_ptr<EventEngine::Endpoint>> Open(Welcome welcome) {
    absl::StatusOr<SpinBudget> spin =
        SpinBudgetFromEnvironment(options_.wait_policy, options_.max_spin);
    if (!spin.ok()) return spin.status();
    absl::StatusOr<Arena> arena =
        Arena::Attach(std::move(welcome.arena_fd), welcome.offer.arena_bytes, welcome.offer.sealed);
    if (!arena.ok()) return arena.status();
    arena->CloseFile();
    poller_->Remove(this);
    const bool direct = links_ != nullptr && (welcome.offer.features & kDirectCalls) != 0;
    const size_t buffer_bytes = welcome.offer.call_buffer_bytes;
    if (direct && !IsCallBufferSize(buffer_bytes)) {
      return absl::FailedPreconditionError(
          absl::StrCat("the server offers call buffers of ", buffer_bytes, " bytes"));
    }
    absl::StatusOr<std::unique_ptr<Link>> link =
        Link::Create(Link::Side::kClient, *std::move(arena), std::move(socket_),
                     {.ring_bytes = welcome.offer.ring_bytes,
                      .payload_bytes = welcome.offer.payload_bytes,
                      .call_bytes = direct ? CallRegionBytes(buffer_bytes) : 0});
    if (!link.ok()) return link.status();
    Link* const raw_link = link->get();
    EnterPool(pool_key_, raw_link->pool());
    std::unique_ptr<ClientConnection> connection;
    if (direct) {
      connection = std::make_unique<ClientConnection>(
          raw_link->call_region(), buffer_bytes, [raw_link] { raw_link->Ring(); }, *spin, links_);
    }
    ClientConnection* const raw_connection = connection.get();
    auto core =
        std::make_shared<EndpointCore>(*std::move(link), *spin, executor_,
                                       Trust{}.Allows(welcome.peer.uid), std::move(connection));
    // A client has no name of its own: its local address is the connection's.
    auto endpoint = std::make_unique<Endpoint>(core, poller_, EncodeAddress({name_}),
                                               PeerAddress(name_, welcome.peer));
    if (direct) {
      auto client_link = std::make_shared<ClientLink>();
      client_link->owner = core;
      client_link->calls = &raw_connection->calls();
      client_link->blocks = {raw_link->pool(), raw_link->borrower(),
                             Trust{}.Allows(welcome.peer.uid)};
      client_link->finished = [raw = core.get()] { raw->UserIdle(); };
      client_link->fail = [raw = core.get()](absl::Status why) { raw->End(std::move(why)); };
      links_->Add(std::move(client_link));
    }
    return endpoint;
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
    poller_->Remove(this);
    if (timer != EventEngine::TaskHandle::kInvalid) executor_->Cancel(timer);
    on_connect(std::move(result));
  }

  const std::shared_ptr<EventEngine> executor_;
  Poller* const poller_;
  const ServiceName name_;
  const ChannelOptions options_;
  const std::shared_ptr<ClientLinks> links_;  // null: no direct calls
  const std::string pool_key_;
  const Trust trust_;
  absl::Mutex answer_mu_;
  UniqueFd socket_;  // not guarded, but given away under answer_mu_ and after Remove()

  absl::Mutex mu_;
  EventEngine::OnConnectCallback on_connect_ ABSL_GUARDED_BY(mu_);
  EventEngine::TaskHandle timer_ ABSL_GUARDED_BY(mu_) = EventEngine::TaskHandle::kInvalid;
};

}  // namespace

void Connect(std::shared_ptr<EventEngine> executor, Watchdog* watchdog, const ServiceName& name,
             const ChannelOptions& options, std::shared_ptr<ClientLinks> links,
             const std::string& pool_key, EventEngine::Duration timeout,
             EventEngine::OnConnectCallback on_connect) {
  auto attempt = std::make_shared<Attempt>(executor, watchdog, name, options, std::move(links),
                                           pool_key, std::move(on_connect));
  executor->Run([attempt = std::move(attempt), timeout] { attempt->Start(timeout); });
}

}  // namespace grpc_cxl
