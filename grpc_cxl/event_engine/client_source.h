// SPDX-License-Identifier: Apache-2.0
#ifndef GRPC_CXL_EVENT_ENGINE_CLIENT_SOURCE_H_
#define GRPC_CXL_EVENT_ENGINE_CLIENT_SOURCE_H_

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "grpc_cxl/arena/arena.h"
#include "grpc_cxl/base/unique_fd.h"
#include "grpc_cxl/event_engine/life_bond.h"
#include "grpc_cxl/link/link.h"
#include "grpc_cxl/rendezvous/handshake.h"
#include "grpc_cxl/rendezvous/line.h"
#include "grpc_cxl/rendezvous/peer_trust.h"
#include "grpc_cxl/rendezvous/service_name.h"

namespace grpc_cxl::internal {

// The parts of a new connection, from a socket or a region.
struct LinkParts {
  Arena arena;
  UniqueFd socket;                           // empty for a region
  LinkOptions options;                       // the memory model and the peer's liveness
  std::shared_ptr<LifeBond> bond = nullptr;  // of a connection back: with which one it ends
};

// A client that waits for its connection. Accept() or Refuse() must be called exactly once. Not
// thread-safe.
class WaitingClient {
 public:
  virtual ~WaitingClient() = default;

  virtual uint32_t features() const = 0;
  // The client's identity for logs and peer(): "pid=4711,uid=1000".
  virtual std::string who() const = 0;
  virtual PeerTrust trust() const = 0;
  // The clients with one of these share a part of the server's budget; empty: no such limit.
  virtual std::string quota() const = 0;

  // Whose lines are the client's, if it has kServesBack and the server can call it.
  virtual std::optional<LineSource> lines() const { return std::nullopt; }

  // Whether the arena's pages take memory on use only.
  virtual bool reserves_on_use() const = 0;

  // Makes an arena of at least `bytes`, reserves what a connection begins with, and sends it to the
  // client with `offer`, after filling in the offer's arena_bytes, sealed and coherence.
  virtual absl::StatusOr<LinkParts> Accept(size_t bytes, ArenaOffer offer) = 0;
  virtual void Refuse(Refusal refusal, const std::string& reason) = 0;
};

// Delivers the clients of one name. Thread-safe.
class ClientSource {
 public:
  using OnClient = std::function<void(std::unique_ptr<WaitingClient>)>;
  using OnRefused = std::function<void(const std::string& reason)>;

  virtual ~ClientSource() = default;

  // `on_refused` is called for each client that is refused before it would be handed over; on any
  // thread. To be called before Start(), if at all.
  virtual void SetOnRefused(OnRefused /*on_refused*/) {}

  // Hands every client to `on_client`, including earlier clients; on any thread, maybe several
  // at a time. Called once.
  virtual void Start(OnClient on_client) = 0;
  // Gives the name up, refuses clients that are still connecting, and drops `on_client`; a call
  // of `on_client` that is under way keeps its own copy until it returns.
  virtual void Stop() = 0;
  // The name that clients connect to: that of a replica is its own.
  virtual const ServiceName& own_name() const = 0;
  // Waits until another server has taken the name over (ServerOptions::take_over), or until
  // `deadline`; whether one has.
  virtual bool AwaitTakeOver(absl::Time deadline) = 0;
};

}  // namespace grpc_cxl::internal

#endif  // GRPC_CXL_EVENT_ENGINE_CLIENT_SOURCE_H_
