// SPDX-License-Identifier: Apache-2.0
#ifndef GRPC_CXL_EVENT_ENGINE_SOCKET_ATTEMPT_H_
#define GRPC_CXL_EVENT_ENGINE_SOCKET_ATTEMPT_H_

#include <cstdint>
#include <memory>
#include <optional>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/synchronization/mutex.h"
#include "grpc_cxl/base/foreign_fd.h"
#include "grpc_cxl/base/unique_fd.h"
#include "grpc_cxl/endpoint/endpoint.h"
#include "grpc_cxl/event_engine/connect_attempt.h"
#include "grpc_cxl/polling/pollable.h"
#include "grpc_cxl/rendezvous/handshake.h"
#include "grpc_cxl/rendezvous/line_key.h"
#include "grpc_cxl/rendezvous/secret_exchange.h"

namespace grpc_cxl::internal {

// Connects through a name's socket, or a line: says hello, waits for the server's Welcome, maps the
// arena, and waits for the server's HTTP/2 where it should.
class SocketAttempt final : public ConnectAttempt,
                            public Pollable,
                            public std::enable_shared_from_this<SocketAttempt> {
 public:
  using ConnectAttempt::ConnectAttempt;

  // `line`: if the request has a `way_back`.
  void Start(EventEngine::Duration timeout, UniqueFd line = UniqueFd());

  int fd() const override { return socket_.get(); }
  void OnFdReadable() override;

 private:
  absl::Status Greet(UniqueFd line);
  // nullopt: not yet.
  absl::StatusOr<std::optional<Welcome>> Receive();
  absl::StatusOr<std::unique_ptr<Endpoint>> Open(Welcome welcome);
  std::unique_ptr<Endpoint> TakeUngreeted();

  bool BeginWaiting() override { return request().poller->Add(shared_from_this()); }
  void EndWaiting() override;

  LineKey line_key_;  // of the Hello
  absl::Mutex answer_mu_;
  std::optional<ClientExchange> exchange_;  // used under answer_mu_; empty: no more of it
  std::unique_ptr<Endpoint> ungreeted_ ABSL_GUARDED_BY(answer_mu_);
  bool over_ ABSL_GUARDED_BY(answer_mu_) = false;
  ForeignFd socket_;  // not guarded, but given away under answer_mu_ and after Remove()
};

}  // namespace grpc_cxl::internal

#endif  // GRPC_CXL_EVENT_ENGINE_SOCKET_ATTEMPT_H_
