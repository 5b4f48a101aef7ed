// SPDX-License-Identifier: Apache-2.0
#ifndef GRPC_CXL_ENDPOINT_ACCOMPANIED_ENDPOINT_H_
#define GRPC_CXL_ENDPOINT_ACCOMPANIED_ENDPOINT_H_

#include <grpc/event_engine/event_engine.h>

#include <memory>
#include <utility>

#include "absl/functional/any_invocable.h"
#include "absl/status/status.h"
#include "absl/strings/string_view.h"

namespace grpc_cxl::internal {

// An endpoint that keeps something until gRPC drops it; everything else is the inner endpoint's.
class AccompaniedEndpoint final : public grpc_event_engine::experimental::EventEngine::Endpoint {
 public:
  using EventEngine = grpc_event_engine::experimental::EventEngine;
  using SliceBuffer = grpc_event_engine::experimental::SliceBuffer;

  AccompaniedEndpoint(std::unique_ptr<EventEngine::Endpoint> inner, std::shared_ptr<void> companion)
      : companion_(std::move(companion)), inner_(std::move(inner)) {}

  bool Read(absl::AnyInvocable<void(absl::Status)> on_read, SliceBuffer* buffer,
            ReadArgs args) override {
    return inner_->Read(std::move(on_read), buffer, args);
  }
  bool Write(absl::AnyInvocable<void(absl::Status)> on_writable, SliceBuffer* data,
             WriteArgs args) override {
    return inner_->Write(std::move(on_writable), data, std::move(args));
  }
  const EventEngine::ResolvedAddress& GetPeerAddress() const override {
    return inner_->GetPeerAddress();
  }
  const EventEngine::ResolvedAddress& GetLocalAddress() const override {
    return inner_->GetLocalAddress();
  }
  std::shared_ptr<TelemetryInfo> GetTelemetryInfo() const override {
    return inner_->GetTelemetryInfo();
  }
  void* QueryExtension(absl::string_view id) override { return inner_->QueryExtension(id); }

 private:
  const std::shared_ptr<void> companion_;
  const std::unique_ptr<EventEngine::Endpoint> inner_;  // goes first
};

}  // namespace grpc_cxl::internal

#endif  // GRPC_CXL_ENDPOINT_ACCOMPANIED_ENDPOINT_H_
