// SPDX-License-Identifier: Apache-2.0
#ifndef GRPC_CXL_EVENT_ENGINE_CLIENT_SOURCE_H_
#define GRPC_CXL_EVENT_ENGINE_CLIENT_SOURCE_H_

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "grpc_cxl/arena/arena.h"
#include "grpc_cxl/base/unique_fd.h"
#include "grpc_cxl/link/link.h"
#include "grpc_cxl/rendezvous/handshake.h"
#include "grpc_cxl/rendezvous/peer_trust.h"

namespace grpc_cxl::internal {

// The parts of a connection, however the two processes met.
struct LinkParts {
  Arena arena;
  UniqueFd socket;      // empty where there is none
  LinkOptions options;  // how to get at the arena, and whether the peer lives
};

// A client that waits for its connection. Either Accept() or Refuse() is called, once. Not
// thread-safe.
class WaitingClient {
 public:
  virtual ~WaitingClient() = default;

  virtual uint32_t features() const = 0;
  // For people, and part of peer(): "pid=4711,uid=1000".
  virtual std::string who() const = 0;
  virtual PeerTrust trust() const = 0;
  // The clients with one of these share a part of the server's budget; empty: no such limit.
  virtual std::string quota() const = 0;

  // Makes an arena of at least `bytes` and tells the client of it and of `offer`, whose
  // arena_bytes, sealed and coherence are filled in here.
  virtual absl::StatusOr<LinkParts> Accept(size_t bytes, ArenaOffer offer) = 0;
  virtual void Refuse(Refusal refusal, const std::string& reason) = 0;
};

// Brings the clients of one name. Thread-safe.
class ClientSource {
 public:
  using OnClient = std::function<void(std::unique_ptr<WaitingClient>)>;

  virtual ~ClientSource() = default;

  // Hands every client to `on_client`, those included that came before; on any thread, maybe
  // several at a time. Once.
  virtual void Start(OnClient on_client) = 0;
  // Gives the name up, refuses clients that are still connecting, and drops `on_client`; a call
  // of it that is under way keeps its own copy until it returns.
  virtual void Stop() = 0;
};

}  // namespace grpc_cxl::internal

#endif  // GRPC_CXL_EVENT_ENGINE_CLIENT_SOURCE_H_
