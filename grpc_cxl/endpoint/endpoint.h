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

  bool Read(absl::AnyInvocable<void(absl::Status)> on_read,
            grpc_event_engine::experimental::SliceBuffer* buffer, ReadArgs) override {
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
  const ResolvedAddress local_;
  const ResolvedAddress peer_;
};

}  // namespace grpc_cxl::internal

#endif  // GRPC_CXL_ENDPOINT_ENDPOINT_H_
