// SPDX-License-Identifier: Apache-2.0
#ifndef GRPC_CXL_DIRECT_DIRECT_CALL_H_
#define GRPC_CXL_DIRECT_DIRECT_CALL_H_

#include <google/protobuf/message.h>
#include <grpc/event_engine/event_engine.h>
#include <grpcpp/client_context.h>
#include <grpcpp/support/client_interceptor.h>

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <thread>

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"
#include "grpc_cxl/blocks/block_layout.h"
#include "grpc_cxl/calls/call_codec.h"
#include "grpc_cxl/direct/call_observer.h"
#include "grpc_cxl/direct/call_routes.h"
#include "grpc_cxl/direct/detached_call.h"
#include "grpc_cxl/direct/direct_channel.h"
#include "grpc_cxl/direct/hijacked_response.h"
#include "grpc_cxl/direct/inline_call.h"
#include "grpc_cxl/payload/message_types.h"
#include "grpc_cxl/priority_level.h"

namespace grpc_cxl::internal {

// The interceptor of an RPC.
//
//   Intercept(send) --eligible--> posted --outcome--> Hijack() -> Intercept(receive) -> done
//        |               |'-> BeginInline() --outcome--'
//        |               '--> WaitForSlot() --> posted, or the outcome that there is no room
//        |                          |
//        | not eligible             | not taken by the server, nor by other replicas
//        v                          v
//     Proceed(): the stream path, as if this object did not exist
//
// gRPC calls Intercept() in sequence, except for a cancellation, which comes from any thread.
class DirectCall final : public grpc::experimental::Interceptor {
 public:
  // `link` and `under_way`: of CallRoutes::Choose().
  DirectCall(const DirectChannel& channel, std::shared_ptr<const CallRoute> link,
             uint32_t under_way, const MessageTypes& types,
             grpc::experimental::ClientRpcInfo* info);

  void Intercept(grpc::experimental::InterceptorBatchMethods* methods) override;

 private:
  // Posts the call if it is eligible, and waits for it or leaves it to the polling thread.
  bool Begin(grpc::experimental::InterceptorBatchMethods* methods);
  // Begins `observed_`, if somebody observes the call. Returns the metadata to send, maybe
  // `*annotated`.
  const ObservedCall::Metadata& Annotate(const ObservedCall::Metadata& metadata,
                                         ObservedCall::Metadata* annotated);
  // False when there is something in it that only HTTP/2 can carry, or that gRPC reports itself.
  bool MakeHead(const std::multimap<std::string, std::string>& metadata, size_t message_bytes,
                RequestView* view) const;
  // To a server of this process.
  bool BeginInline(const google::protobuf::Message& request, size_t message_bytes,
                   const RequestView& view);
  enum class Posted {
    kYes,
    kNo,      // the stream path is left
    kNoSlot,  // at a server for whose slots calls wait
  };
  static constexpr int kAnySlot = -1;
  // In `slot`, which is used or given back; or in a free one.
  Posted Post(const google::protobuf::Message& request, size_t message_bytes, RequestView view,
              int slot = kAnySlot);
  // The same from the beginning on, as the application has made the call.
  Posted PostAgain(int slot = kAnySlot);
  Posted PostIn(int slot, const google::protobuf::Message& request, size_t message_bytes,
                RequestView* view);
  // Puts the request into a slot, and maybe a block.
  Posted Place(const google::protobuf::Message& request, size_t message_bytes, int slot,
               RequestView* view) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);

  // On the caller's own thread: spins, then sleeps, then goes on with WaitElsewhere().
  void WaitHere();
  // The polling thread, or a timer, ends the call.
  void WaitElsewhere();

  // The application has cancelled the call.
  void Cancel();
  // Ends a cancelled call if the server does not end it soon.
  static void EndSoon(const std::shared_ptr<DetachedCall>& detached);
  // Ends a call that still runs; its slot becomes free at the server's response.
  void GiveUp(grpc::Status status);

  // Tries other replicas than link_, until one has a slot or none is left; `otherwise`: there are
  // none.
  Posted PostElsewhere(Posted otherwise);
  // A cancelled call that no server has taken ends soon, and a late one at once: gRPC would begin
  // either on the stream path.
  bool EndIfCancelled();
  bool EndIfLate();
  // After a server has not taken the call: goes on with another replica. False: there is none.
  bool GoElsewhere();

  struct Deadline {
    uint64_t timeout_ns;
    std::shared_ptr<const CallRoute> link;
    int slot;  // -1: none
    uint32_t generation;
  };
  // Ends the call at its deadline, if it has one: `detached` has a timer of the engine then. Null:
  // none. The call may be gone already.
  static std::shared_ptr<grpc_event_engine::experimental::EventEngine> SetDeadline(
      const std::shared_ptr<DetachedCall>& detached, const Deadline& deadline);
  // Goes on when there is a slot.
  void WaitForSlot();
  // Static: the call may be over, and deleted, before this begins.
  static void QueueUp(const std::shared_ptr<DetachedCall>& detached, const CallRoute& link,
                      uint64_t ticket, Priority priority,
                      const std::shared_ptr<grpc_event_engine::experimental::EventEngine>& timer);
  // There is one; -1: there will be none.
  void OnSlot(int slot);
  void EndWithoutRoom();

  void End(CallOutcome outcome);
  void End(grpc::Status status);
  // Counts the end.
  void Observe(const grpc::Status& status, size_t response_bytes);

  const DirectChannel& channel_;
  // Set under mu_; read without it by the thread that has set it.
  std::shared_ptr<const CallRoute> link_;
  const MessageTypes& types_;
  grpc::ClientContext* const context_;
  const char* const method_;
  std::thread::id started_by_;
  uint64_t started_in_ = 0;
  grpc::experimental::InterceptorBatchMethods* methods_ = nullptr;
  uint64_t timeout_ns_ = kNoTimeout;
  Priority priority_ = Priority::kDefault;
  int64_t posted_ns_ = 0;  // when this was posted at link_'s
  int moves_ = 0;          // to other replicas
  uint64_t ticket_ = 0;    // of link_'s queue, while this waits for a slot
  uint32_t under_way_;     // at link_'s, when this was posted

  absl::Mutex mu_;  // Cancel() comes from other threads
  bool cancelled_ ABSL_GUARDED_BY(mu_) = false;
  std::unique_ptr<InlineCall> inline_;  // set under mu_; the response points into it
  std::shared_ptr<DetachedCall> detached_ ABSL_GUARDED_BY(mu_);
  // Set under mu_; read without it by the thread that set them.
  int slot_ = -1;
  uint32_t generation_ = 0;
  size_t request_bytes_ = 0;  // in the slot's buffer
  BlockDescriptor lent_{};    // the request's block, if it has one

  HijackedResponse response_;
  std::unique_ptr<ObservedCall> observed_;  // null: nobody does
};

}  // namespace grpc_cxl::internal

#endif  // GRPC_CXL_DIRECT_DIRECT_CALL_H_
