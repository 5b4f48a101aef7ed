// SPDX-License-Identifier: Apache-2.0
#include "grpc_cxl/event_engine/back_line.h"

#include <utility>

#include "grpc_cxl/base/foreign_fd.h"
#include "grpc_cxl/rendezvous/back_socket.h"

namespace grpc_cxl::internal {

std::shared_ptr<BackLine> BackLine::Make(std::shared_ptr<EventEngine> executor, UniqueFd socket,
                                         Client client, const ServerSettings& settings) {
  std::shared_ptr<BackLine> line(
      new BackLine(std::move(executor), std::move(socket), std::move(client), settings));
  line->number_ = Numbered<BackLine>::Add(line);
  return line;
}

BackLine::BackLine(std::shared_ptr<EventEngine> executor, UniqueFd socket, Client client,
                   const ServerSettings& settings)
    : executor_(std::move(executor)),
      client_(std::move(client)),
      settings_(settings),
      socket_(std::move(socket)) {}

void BackLine::LiveWith(EndpointCore& connection) {
  connection.OnEnd([self = shared_from_this()](const absl::Status&) { self->End(); });
}

void BackLine::End() {
  UniqueFd socket;
  std::shared_ptr<void> channel;
  {
    absl::MutexLock lock(mu_);
    socket = std::move(socket_);
    channel = std::move(channel_);
  }
  CloseSocket(std::move(socket));
  bond_->End();
  // Elsewhere: the thread that ends a connection may hold its locks, and gRPC's.
  if (channel != nullptr) executor_->Run([channel = std::move(channel)] {});
}

absl::StatusOr<UniqueFd> BackLine::Dial() {
  absl::MutexLock lock(mu_);
  if (!socket_) return LifeBond::Reason();
  absl::StatusOr<UniqueFd> socket = SendBackSocket(socket_.get());
  if (!absl::IsUnavailable(socket.status())) return socket;
  return absl::UnavailableError("the client does not serve back any more: its server is gone");
}

absl::StatusOr<std::shared_ptr<void>> BackLine::Channel(
    absl::FunctionRef<std::shared_ptr<void>()> make) {
  absl::MutexLock lock(mu_);
  if (!socket_) return LifeBond::Reason();
  if (channel_ == nullptr) channel_ = make();
  return channel_;
}

}  // namespace grpc_cxl::internal
