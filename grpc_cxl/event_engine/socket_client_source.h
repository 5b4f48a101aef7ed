// SPDX-License-Identifier: Apache-2.0
#ifndef GRPC_CXL_EVENT_ENGINE_SOCKET_CLIENT_SOURCE_H_
#define GRPC_CXL_EVENT_ENGINE_SOCKET_CLIENT_SOURCE_H_

#include <grpc/event_engine/event_engine.h>

#include <memory>
#include <optional>

#include "absl/base/thread_annotations.h"
#include "absl/status/statusor.h"
#include "absl/synchronization/mutex.h"
#include "grpc_cxl/base/foreign_fd.h"
#include "grpc_cxl/coherence/memory_model.h"
#include "grpc_cxl/event_engine/client_source.h"
#include "grpc_cxl/event_engine/kept_name.h"
#include "grpc_cxl/event_engine/known_client.h"
#include "grpc_cxl/event_engine/pending_handshakes.h"
#include "grpc_cxl/event_engine/settings.h"
#include "grpc_cxl/polling/poller.h"
#include "grpc_cxl/rendezvous/address_guard.h"

namespace grpc_cxl::internal {

class PendingHandshake;

// A name in a rendezvous directory: clients connect to its socket and say hello.
//
//   accepted --Hello--> handed over as a WaitingClient
//       |
//       | 10 s, too many others of its user (PendingHandshakes), or Stop()
//       v
//     closed
//
// Owned by a shared_ptr.
class SocketClientSource final : public ClientSource,
                                 public std::enable_shared_from_this<SocketClientSource> {
 public:
  using EventEngine = grpc_event_engine::experimental::EventEngine;

  // Registers the name at once, or a replica's if the settings say so and it is a service's;
  // connections wait until Start(). Errors are those of KeptName::Open() and OpenReplica().
  // `memory` is how the server gets at its arenas. `guarded_as`: whose clients these are, for
  // AddressGuard; another name's, where the name is made for an offer.
  static absl::StatusOr<std::shared_ptr<SocketClientSource>> Open(
      std::shared_ptr<EventEngine> executor, Poller* poller, const ServiceName& name,
      const ServerSettings& settings, const MemoryModel& memory, const ServiceName& guarded_as);

  // Has no name: only clients who have said hello on a line, and are known by that.
  static std::shared_ptr<SocketClientSource> WithoutName(std::shared_ptr<EventEngine> executor,
                                                         Poller* poller, const ServiceName& name,
                                                         const ServerSettings& settings,
                                                         const MemoryModel& memory);
  void Adopt(UniqueFd line, const ClientHello& hello, const KnownClient& client) {
    HandOver(std::move(line), hello, client);
  }

  void SetOnRefused(OnRefused on_refused) override { on_refused_ = std::move(on_refused); }
  void Start(OnClient on_client) override;
  void Stop() override;
  const ServiceName& own_name() const override { return name_; }
  bool AwaitTakeOver(absl::Time deadline) override {
    return kept_name_ != nullptr && kept_name_->AwaitTakeOver(deadline);
  }

 private:
  friend class PendingHandshake;

  SocketClientSource(std::shared_ptr<EventEngine> executor, Poller* poller,
                     std::shared_ptr<KeptName> kept_name, const ServiceName& name,
                     const ServerSettings& settings, const MemoryModel& memory,
                     const ServiceName& guarded_as);

  void AcceptAll();
  // The next client, waiting for its Hello; null when no client waits or can be accepted.
  std::shared_ptr<PendingHandshake> AcceptOne();
  // AcceptAll() once more, some time after it could not accept.
  void Retry();
  // A client has said hello, or a successor, or has brought a line. `known`: see Adopt().
  void HandOver(UniqueFd socket, ClientHello hello, const std::optional<KnownClient>& known);
  // A client has been told that it is refused: says so in the log, and to on_refused_.
  void Refused(const PeerIdentity& client, const std::string& reason) const;
  // `handshake` waits for its client; it ends at once if the source has stopped.
  void Queue(std::shared_ptr<PendingHandshake> handshake);
  // `handshake` is over.
  void Forget(const PendingHandshake* handshake);

  const std::shared_ptr<EventEngine> executor_;
  Poller* const poller_;
  const std::shared_ptr<KeptName> kept_name_;  // null: WithoutName()
  const ServiceName name_;
  const AddressGuard guard_;
  const TrustedUsers users_;
  const ArenaBacking backing_;
  const MemoryModel memory_;
  OnRefused on_refused_;  // set before Start()

  absl::Mutex mu_;
  bool stopped_ ABSL_GUARDED_BY(mu_) = false;
  OnClient on_client_ ABSL_GUARDED_BY(mu_);
  PendingHandshakes handshakes_ ABSL_GUARDED_BY(mu_);
  bool retrying_ ABSL_GUARDED_BY(mu_) = false;  // Retry() is due
};

}  // namespace grpc_cxl::internal

#endif  // GRPC_CXL_EVENT_ENGINE_SOCKET_CLIENT_SOURCE_H_
