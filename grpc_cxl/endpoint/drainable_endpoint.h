// SPDX-License-Identifier: Apache-2.0
#ifndef GRPC_CXL_ENDPOINT_DRAINABLE_ENDPOINT_H_
#define GRPC_CXL_ENDPOINT_DRAINABLE_ENDPOINT_H_

#include <grpc/event_engine/event_engine.h>
#include <grpc/event_engine/slice_buffer.h>

#include <memory>
#include <optional>
#include <utility>

#include "absl/base/thread_annotations.h"
#include "absl/functional/any_invocable.h"
#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "absl/synchronization/mutex.h"
#include "grpc_cxl/endpoint/frame_walker.h"

namespace grpc_cxl::internal {

// What a client's HTTP/2 connection reads, into which a GOAWAY can be put as if the server had sent
// it (NO_ERROR, last stream 2^31 - 1): gRPC ends the calls that run on the connection, and makes
// new ones on another. The server hears nothing of it.
//
//   open --Drain()--> wanted --at the next place between two frames--> drained
//
// gRPC's read need not wait for bytes from the server:
//
//                    gRPC reads              inner endpoint
//   Read()           pending                 pending, into `data_`
//   Drain()          done: the GOAWAY        pending
//   Read()           pending                 pending as before
//   bytes come       done: the bytes         done
//
// While they are neither wanted nor drained, reads cost a walk over the frames' headers and a lock.
//
// Thread-safe; owned by a shared_ptr.
class DrainableReads final : public std::enable_shared_from_this<DrainableReads> {
 public:
  using EventEngine = grpc_event_engine::experimental::EventEngine;
  using SliceBuffer = grpc_event_engine::experimental::SliceBuffer;
  using Callback = absl::AnyInvocable<void(absl::Status)>;

  // `executor` runs callbacks that must not run where they come up.
  explicit DrainableReads(std::shared_ptr<EventEngine> executor) : executor_(std::move(executor)) {}

  // False when it has been called before.
  bool Drain();

  // As that of EventEngine::Endpoint, of which `inner` is one.
  bool Read(EventEngine::Endpoint& inner, Callback on_read, SliceBuffer* buffer,
            const EventEngine::Endpoint::ReadArgs& args);

 private:
  void OnInnerRead(absl::Status status);
  // Hands `data_` over, with the GOAWAY in it if that is wanted.
  void Deliver(SliceBuffer* buffer) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  // Ends gRPC's pending read with the GOAWAY and returns its callback; null when it may not.
  Callback OvertakeInner() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  void Finish(Callback on_read, absl::Status status);

  const std::shared_ptr<EventEngine> executor_;

  absl::Mutex mu_;
  enum { kOpen, kWanted, kDrained } drain_ ABSL_GUARDED_BY(mu_) = kOpen;
  FrameWalker frames_ ABSL_GUARDED_BY(mu_);  // of what gRPC has been given
  Callback on_read_ ABSL_GUARDED_BY(mu_);    // gRPC's pending read
  SliceBuffer* buffer_ ABSL_GUARDED_BY(mu_) = nullptr;
  bool inner_pending_ ABSL_GUARDED_BY(mu_) = false;
  // Threads inside the inner Read(), which may yet end gRPC's read by returning true.
  int starting_ ABSL_GUARDED_BY(mu_) = 0;
  // Of an inner read that ended while gRPC had none.
  std::optional<absl::Status> result_ ABSL_GUARDED_BY(mu_);
  SliceBuffer data_;  // the inner read's while that is pending, then guarded by mu_
};

// An endpoint with such reads; everything else is the inner endpoint's, its extensions as well.
class DrainableEndpoint final : public grpc_event_engine::experimental::EventEngine::Endpoint {
 public:
  using EventEngine = DrainableReads::EventEngine;
  using ResolvedAddress = EventEngine::ResolvedAddress;
  using SliceBuffer = DrainableReads::SliceBuffer;

  DrainableEndpoint(std::unique_ptr<EventEngine::Endpoint> inner,
                    std::shared_ptr<EventEngine> executor)
      : reads_(std::make_shared<DrainableReads>(std::move(executor))), inner_(std::move(inner)) {}

  const std::shared_ptr<DrainableReads>& reads() const { return reads_; }

  bool Read(absl::AnyInvocable<void(absl::Status)> on_read, SliceBuffer* buffer,
            ReadArgs args) override {
    return reads_->Read(*inner_, std::move(on_read), buffer, args);
  }
  bool Write(absl::AnyInvocable<void(absl::Status)> on_writable, SliceBuffer* data,
             WriteArgs args) override {
    return inner_->Write(std::move(on_writable), data, std::move(args));
  }
  const ResolvedAddress& GetPeerAddress() const override { return inner_->GetPeerAddress(); }
  const ResolvedAddress& GetLocalAddress() const override { return inner_->GetLocalAddress(); }
  std::shared_ptr<TelemetryInfo> GetTelemetryInfo() const override {
    return inner_->GetTelemetryInfo();
  }
  void* QueryExtension(absl::string_view id) override { return inner_->QueryExtension(id); }

 private:
  const std::shared_ptr<DrainableReads> reads_;
  // Goes first, and ends pending operations then.
  const std::unique_ptr<EventEngine::Endpoint> inner_;
};

}  // namespace grpc_cxl::internal

#endif  // GRPC_CXL_ENDPOINT_DRAINABLE_ENDPOINT_H_
