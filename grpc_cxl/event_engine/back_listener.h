// SPDX-License-Identifier: Apache-2.0
#ifndef GRPC_CXL_EVENT_ENGINE_BACK_LISTENER_H_
#define GRPC_CXL_EVENT_ENGINE_BACK_LISTENER_H_

#include <unistd.h>

#include <memory>
#include <utility>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/synchronization/mutex.h"
#include "grpc_cxl/base/foreign_fd.h"
#include "grpc_cxl/endpoint/endpoint_core.h"
#include "grpc_cxl/event_engine/life_bond.h"
#include "grpc_cxl/polling/pollable.h"
#include "grpc_cxl/polling/poller.h"
#include "grpc_cxl/rendezvous/handshake.h"
#include "grpc_cxl/rendezvous/peer_trust.h"

namespace grpc_cxl::internal {

// A client's end of a connection's line (back_line.h): hands the sockets that come over it to the
// BackServer. Lives until the connection ends, or the server sends anything else, or more than an
// honest one would; connections back that there are go on then. Owned by the poller.
class BackListener final : public Pollable, public std::enable_shared_from_this<BackListener> {
 public:
  // `server` is the BackServer's number, `peer` and `trust` are those of the server at the other
  // end of `connection`, which has not been started.
  static void Start(ForeignFd line, int server, const PeerIdentity& peer, PeerTrust trust,
                    Poller* poller, EndpointCore& connection);

  int fd() const override { return line_.get(); }
  void OnFdReadable() override;

  // Connections back at a time. An honest server has one, and maybe some whose end we have not yet
  // noticed, or whose memory is still in use.
  static constexpr long kMost = 8;

 private:
  BackListener(ForeignFd line, int server, const PeerIdentity& peer, PeerTrust trust,
               Poller* poller)
      : line_(std::move(line)), server_(server), peer_(peer), trust_(trust), poller_(poller) {}
  // False: there is no use for the line any more.
  bool Listen() ABSL_LOCKS_EXCLUDED(mu_);
  void Close();

  const ForeignFd line_;
  const int server_;
  const PeerIdentity peer_;
  const PeerTrust trust_;
  Poller* const poller_;
  const pid_t owner_ = getpid();  // a child of fork() leaves the line to its parent
  const std::shared_ptr<LifeBond> bond_ = std::make_shared<LifeBond>();
  const std::shared_ptr<int> ticket_ = std::make_shared<int>();  // each connection has a copy
  absl::Mutex mu_;  // a leader deposed in a call may still be in it when the next leader calls
  bool closed_ ABSL_GUARDED_BY(mu_) = false;
};

}  // namespace grpc_cxl::internal

#endif  // GRPC_CXL_EVENT_ENGINE_BACK_LISTENER_H_
