// SPDX-License-Identifier: Apache-2.0
#ifndef GRPC_CXL_DIRECT_SERVER_LINK_USER_H_
#define GRPC_CXL_DIRECT_SERVER_LINK_USER_H_

#include <cstddef>
#include <memory>
#include <string>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"
#include "grpc_cxl/calls/server_calls.h"
#include "grpc_cxl/link/link.h"
#include "grpc_cxl/link/link_user.h"
#include "grpc_cxl/payload/call_blocks.h"

namespace grpc_cxl::internal {

class ServerLinkUser;

// Runs direct calls. Thread-safe; outlives the connections that use it.
class CallHandler {
 public:
  virtual ~CallHandler() = default;

  // Takes a call; its connection's Respond() follows, exactly once, from any thread. An
  // error says that the request is malformed, and ends the connection.
  virtual absl::Status OnCall(std::shared_ptr<ServerLinkUser> connection, ServerCalls::CallId call,
                              std::string request) = 0;
};

// A running call, as the connection may cancel it.
class Cancellable {
 public:
  virtual ~Cancellable() = default;
  virtual void Cancel() = 0;
};

// The server's direct calls as a user of an endpoint's link. Thread-safe.
class ServerLinkUser final : public LinkUser {
 public:
  // `link` has a call area with buffers of `buffer_bytes`, and outlives this. `trust_peer`: see
  // CallBlocks. `peer` is what ServerContext::peer() shows of the client on the stream path.
  ServerLinkUser(Link* link, size_t buffer_bytes, bool trust_peer, std::string peer);

  void Start(std::weak_ptr<LinkOwner> owner) override { owner_ = std::move(owner); }

  // This, sharing the owner's life; null when that is over. After Start().
  std::shared_ptr<ServerLinkUser> Self();

  // Calls are taken from here on, until Retire(), and go to `handler`.
  void SetHandler(std::shared_ptr<CallHandler> handler);

  // For the handler: a taken call can be cancelled, until Respond().
  void Running(ServerCalls::CallId call, Cancellable* running);
  void Respond(ServerCalls::CallId call, std::string response);

  // After Retire(): waits until every call that was taken has been responded to, at most
  // until `deadline`. False: some run on.
  bool AwaitResponses(absl::Time deadline);

  const std::string& peer() const { return peer_; }
  const CallBlocks& blocks() const { return blocks_; }
  size_t buffer_bytes() const { return calls_.buffer_bytes(); }

  bool Ready() const override { return calls_.Ready(); }
  absl::Status Run() override;
  void Retire() override;
  // The client is gone: cancels the calls that run.
  void Ended() override;
  bool Busy() const override { return calls_.busy() > 0; }

 private:
  // Gives a taken call to the handler.
  void Begin(ServerCalls::CallId call, std::string request);
  void Cancel(ServerCalls::CallId call);
  // A call is over, or none will come: drops what is no longer needed.
  void Finished();

  ServerCalls calls_;
  const CallBlocks blocks_;
  const std::string peer_;
  std::weak_ptr<LinkOwner> owner_;  // set once, by Start()

  absl::Mutex mu_;
  std::shared_ptr<CallHandler> handler_ ABSL_GUARDED_BY(mu_);  // kept for the last call taken
  bool ended_ ABSL_GUARDED_BY(mu_) = false;
  bool retired_ ABSL_GUARDED_BY(mu_) = false;
  Cancellable* running_[kCallSlots] ABSL_GUARDED_BY(mu_) = {};
  // Cancelled before the handler said Running().
  uint32_t cancelled_early_[kCallSlots] ABSL_GUARDED_BY(mu_) = {};
};

}  // namespace grpc_cxl::internal

#endif  // GRPC_CXL_DIRECT_SERVER_LINK_USER_H_
