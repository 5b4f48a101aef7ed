// SPDX-License-Identifier: Apache-2.0
#ifndef GRPC_CXL_ENDPOINT_ENDPOINT_H_
#define GRPC_CXL_ENDPOINT_ENDPOINT_H_

#include <grpc/event_engine/event_engine.h>

#include <memory>

#include "absl/functional/any_invocable.h"
#include "grpc_cxl/endpoint/endpoint_core.h"
#include "grpc_cxl/polling/poller.h"

namespace grpc_cxl::internal {

// gRPC's view of one link: EventEngine::Endpoint over an EndpointCore that a poller looks
// after.
class Endpoint final : public grpc_event_engine::experimental::EventEngine::Endpoint {
 public:
  using ResolvedAddress = grpc_event_engine::experimental::EventEngine::ResolvedAddress;

  Endpoint(std::shared_ptr<EndpointCore> core, Poller* poller, const ResolvedAddress& local,
           const ResolvedAddress& peer)
      : core_(std::move(core)), local_(local), peer_(peer) {
    core_->Start(poller);
  }

  // Pending operations end with CANCELLED, on another thread.
  ~Endpoint() override { core_->Shutdown(); }

  // Before gRPC has it: waits for the peer's first bytes, which the first Read() then gets. True:
  // they are there. False: `on_greeted` will be called, not from inside this, with an error if none
  // come.
  bool AwaitGreeting(absl::AnyInvocable<void(absl::Status)> on_greeted) {
    greeting_ = std::make_unique<grpc_event_engine::experimental::SliceBuffer>();
    return core_->Read(std::move(on_greeted), greeting_.get());
  }

  bool Read(absl::AnyInvocable<void(absl::Status)> on_read,
            grpc_event_engine::experimental::SliceBuffer* buffer, ReadArgs) override {
    if (greeting_ != nullptr) {
      buffer->Swap(*greeting_);
      greeting_ = nullptr;
      return true;
    }
    return core_->Read(std::move(on_read), buffer);
  }
  bool Write(absl::AnyInvocable<void(absl::Status)> on_writable,
             grpc_event_engine::experimental::SliceBuffer* data, WriteArgs) override {
    return core_->Write(std::move(on_writable), data);
  }
  const ResolvedAddress& GetPeerAddress() const override { return peer_; }
  const ResolvedAddress& GetLocalAddress() const override { return local_; }
  std::shared_ptr<TelemetryInfo> GetTelemetryInfo() const override { return nullptr; }

 private:
  const std::shared_ptr<EndpointCore> core_;
  std::unique_ptr<grpc_event_engine::experimental::SliceBuffer> greeting_;  // null: none
  const ResolvedAddress local_;
  const ResolvedAddress peer_;
};

}  // namespace grpc_cxl::internal

#endif  // GRPC_CXL_ENDPOINT_ENDPOINT_H_
