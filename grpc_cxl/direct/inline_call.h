// SPDX-License-Identifier: Apache-2.0
#ifndef GRPC_CXL_DIRECT_INLINE_CALL_H_
#define GRPC_CXL_DIRECT_INLINE_CALL_H_

#include <grpcpp/client_context.h>
#include <grpcpp/support/byte_buffer.h>
#include <grpcpp/support/status.h>

#include <cstdint>
#include <functional>
#include <memory>

#include "absl/functional/function_ref.h"
#include "grpc_cxl/calls/call_codec.h"
#include "grpc_cxl/direct/call_observer.h"
#include "grpc_cxl/direct/call_routes.h"
#include "grpc_cxl/direct/direct_channel.h"
#include "grpc_cxl/direct/hijacked_response.h"
#include "grpc_cxl/direct/server_link_user.h"
#include "grpc_cxl/doorbell/spin_budget.h"
#include "grpc_cxl/priority_level.h"

namespace grpc_cxl::internal {

// A call to a server of this process, on its in-process channel: no slot, no arena. It begins on
// the caller's thread, which also runs what gRPC would hand to others, a handler of the callback
// API among it: a polling thread later, after the current callback; a thread that waits for the
// call meanwhile. The latter waits for such a handler to return, past the call's deadline and
// cancellation, of which gRPC tells the handler; what runs on other threads ends in time.
//
// Must outlive the response, which points into it. Used once; Cancel() comes from any thread.
class InlineCall final : public Cancellable {
 public:
  // `route` has an OwnServer; it and `under_way` are of CallRoutes::Choose().
  InlineCall(std::shared_ptr<const CallRoute> route, const DirectChannel& channel,
             HijackedResponse* response, uint32_t under_way)
      : route_(std::move(route)), channel_(channel), response_(response), under_way_(under_way) {}

  // False: the server takes no calls at the moment, and LinkOwner::UserIdle() must follow, with no
  // lock held. Else Start() or Run() must follow.
  bool Enter(Priority priority);
  // Makes the call on a polling thread or within a CallersQueue; `on_end` follows, maybe from
  // inside, when the response is set. It may destroy this.
  void Start(const RequestView& request, grpc::ByteBuffer message, std::function<void()> on_end);
  // Makes the call and waits for the response. `spin` is asked for the budget when the wait begins:
  // the handler, which may run before, makes calls of its own on this thread.
  void Run(const RequestView& request, grpc::ByteBuffer message,
           absl::FunctionRef<SpinBudget&()> spin);

  void Cancel() override { context_->TryCancel(); }
  // For the caller's own cancellation, within which the call must not end.
  void CancelSoon();

 private:
  void End(const grpc::Status& status);
  // The response is set: leaves the server, and tells the caller.
  void Leave();

  const std::shared_ptr<const CallRoute> route_;
  const DirectChannel& channel_;
  HijackedResponse* const response_;
  const uint32_t under_way_;
  std::shared_ptr<ServerLinkUser> server_;
  ServerLinkUser::Inline begun_;  // at the server
  std::function<void()> on_end_;
  std::unique_ptr<ObservedCall> observed_;  // at the server; null: nobody does
  int64_t began_ns_ = 0;
  const std::shared_ptr<grpc::ClientContext> context_ = std::make_shared<grpc::ClientContext>();
  grpc::ByteBuffer message_;
  grpc::ByteBuffer reply_;
};

// Whether the calling thread has the object on its stack. The operations of a call are there, and
// with them the interceptors' view of it, in gRPC's synchronous API only: the thread waits for the
// call. On a stack that is not the thread's own, as a coroutine's, nothing is.
bool IsOnStackOfThisThread(const void* object);

}  // namespace grpc_cxl::internal

#endif  // GRPC_CXL_DIRECT_INLINE_CALL_H_
