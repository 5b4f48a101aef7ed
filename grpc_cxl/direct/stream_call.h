// SPDX-License-Identifier: Apache-2.0
#ifndef GRPC_CXL_DIRECT_STREAM_CALL_H_
#define GRPC_CXL_DIRECT_STREAM_CALL_H_

#include <grpc/event_engine/event_engine.h>
#include <grpcpp/client_context.h>
#include <grpcpp/support/client_interceptor.h>

#include <atomic>
#include <chrono>
#include <cstdint>
#include <list>
#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/container/inlined_vector.h"
#include "absl/functional/function_ref.h"
#include "absl/status/status.h"
#include "absl/synchronization/mutex.h"
#include "grpc_cxl/blocks/block_layout.h"
#include "grpc_cxl/direct/call_observer.h"
#include "grpc_cxl/direct/call_routes.h"
#include "grpc_cxl/direct/direct_channel.h"
#include "grpc_cxl/direct/outgoing_message.h"
#include "grpc_cxl/direct/stream_result.h"
#include "grpc_cxl/payload/message_types.h"
#include "grpc_cxl/priority_level.h"
#include "grpc_cxl/streams/client_streams.h"
#include "grpc_cxl/streams/stream_memory.h"

namespace grpc_cxl::internal {

// A streaming call through memory, the client's side. With its first batch it is posted, and then
// it is decided which way the call goes. Other batches that come before that are held:
//
//   Begin() --posted--> undecided --taken, or over--> Hijack(): direct
//      |                    '--refused, or the connection has ended before--.
//      '--no slot, or not for it--------------------------------------------+--> Proceed(): HTTP/2
//
// gRPC's batches (a read, a write, the status) are under way beside each other; each goes on by its
// own Proceed() when it is done:
//
//     Intercept()         the application's threads; a thread of the synchronous API waits here
//     OnNews()            the polling thread: for the batches that no thread waits for
//
// Outlives its context until the server has ended it too. Thread-safe.
class StreamCall final : public StreamUser, public std::enable_shared_from_this<StreamCall> {
 public:
  using Methods = grpc::experimental::InterceptorBatchMethods;

  // `channel` lives as long as the call's context.
  StreamCall(const DirectChannel& channel, std::shared_ptr<const CallRoute> route,
             const MessageTypes& types, const char* method);

  // The first batch, which has the initial metadata. Calls Hijack() or Proceed(), now or later.
  void Begin(Methods* methods, grpc::ClientContext& context);
  // A batch: what it sends, and then what it receives. Calls Proceed(), now or later.
  void Intercept(Methods* methods);

  // The application has cancelled the call.
  void Cancel();
  // The context is gone.
  void Abandon();

  // StreamUser.
  void OnNews() override;
  void OnRest() override;
  void OnEnded() override;

 private:
  enum class Path { kUndecided, kDirect, kHttp2 };

  // What a batch waits for.
  struct Operation {
    Methods* methods;
    bool send = false, message_out = false;
    bool initial_metadata = false, message = false, status = false;
    bool in_place = false;  // a thread waits
    std::atomic<bool> done{false};

    explicit Operation(Methods* of) : methods(of) {}
  };
  using Operations = std::list<Operation>;
  using TaskHandle = grpc_event_engine::experimental::EventEngine::TaskHandle;

  bool over() {
    absl::MutexLock lock(mu_);
    return result_.ended() || decided_ == Path::kHttp2;
  }

  // To be done without the lock.
  struct Then {
    Path decided = Path::kUndecided;
    absl::InlinedVector<Methods*, 4> proceed;
    absl::Status broken;
    bool idle = false;
    TaskHandle timer = TaskHandle::kInvalid;  // to be cancelled
    std::unique_ptr<ObservedCall> over;       // with `status`; or not taken
    std::optional<grpc::Status> status;
  };
  void Do(Then then);

  // False: the call is for HTTP/2.
  bool Post(const grpc::ClientContext& context, Then* then);
  bool Open(const std::string& head, Priority priority, Then* then);
  void Decide(Then* then) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  // Carries the decision out: for the first batch, and then for those that are held.
  void GoOn(Path path);
  // A batch of a direct call. `may_wait`: on the application's thread.
  void Run(Methods* methods, bool may_wait);
  void Send(Methods* methods, bool may_wait);
  void Receive(Methods* methods, bool may_wait);
  void Start(Operations one, bool may_wait);
  // On the caller's own thread: spins, then sleeps, at most kPatienceNs. Whether `done`, which is
  // asked with the lock; `flag` becomes true when it is.
  bool WaitUntil(absl::FunctionRef<bool()> done, const std::atomic<bool>& flag, Then* then);
  // Writes, reads and completes what can be.
  void Advance(Then* then) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  void UseStream(Then* then) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  // For want of memory.
  void FlushLater() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  void Read(Then* then) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  bool WantsRecord() const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  // Whether no message will be read any more: the call is cancelled, or a caller of the synchronous
  // API, which reads before that, waits for the status.
  bool LeavesMessages() const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  void Take(StreamItem record, Then* then) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  bool Complete(Operation& operation) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  void Write(const OutgoingMessage& message, Then* then) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  // Ends the call for the application; the server is told, and its end awaited.
  void EndHere(grpc::Status status) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  // Ends the call if the message is above the limit.
  void LimitMessage(const StreamItem& record) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  // Give the slot back: behind kEnd, and behind kRefused.
  void Close(Then* then) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  void CloseRefused(Then* then) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  void CloseStream(Then* then) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  void RevokeUntaken() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  void Break(absl::Status status, Then* then) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  // Count a message that has come, and the end.
  void NoteMessage(const StreamItem& record) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  void NoteEnd(Then* then) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  // True: the server now tells of more than before, so what came until now is to be looked at.
  bool UpdateWaiter() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  TaskHandle EndAfter(std::chrono::nanoseconds time, grpc::Status status);

  const DirectChannel& channel_;
  const std::shared_ptr<const CallRoute> route_;
  const MessageTypes& types_;
  const char* const method_;
  const int64_t max_send_bytes_;
  const uint64_t max_receive_bytes_;
  // Set by Begin().
  Methods* first_ = nullptr;  // the first batch, until it is decided
  bool is_sync_ = false;      // of the synchronous API

  std::atomic<Path> path_{Path::kUndecided};  // stored when the decision is carried out
  absl::Mutex mu_;
  std::shared_ptr<ClientStream> stream_ ABSL_GUARDED_BY(mu_);  // null: closed
  StreamResult result_ ABSL_GUARDED_BY(mu_);
  Operations operations_ ABSL_GUARDED_BY(mu_);
  std::vector<BlockDescriptor> untaken_ ABSL_GUARDED_BY(mu_);    // lent before `confirmed_`
  std::vector<Methods*> held_ ABSL_GUARDED_BY(mu_);              // until it is decided
  std::thread::id hijacks_ ABSL_GUARDED_BY(mu_);                 // that is in Hijack()
  std::unique_ptr<ObservedCall> observed_ ABSL_GUARDED_BY(mu_);  // null: nobody does
  bool begins_in_place_ ABSL_GUARDED_BY(mu_) = false;            // a thread waits for the decision
  Path decided_ ABSL_GUARDED_BY(mu_) = Path::kUndecided;
  bool taken_ ABSL_GUARDED_BY(mu_) = false;
  bool confirmed_ ABSL_GUARDED_BY(mu_) = false;  // it will not be refused any more
  uint32_t news_at_first_ ABSL_GUARDED_BY(mu_) = 0;
  bool posted_ ABSL_GUARDED_BY(mu_) = false;
  bool noted_ ABSL_GUARDED_BY(mu_) = false;  // its end
  bool broken_ ABSL_GUARDED_BY(mu_) = false;
  bool cancelled_ ABSL_GUARDED_BY(mu_) = false;
  bool given_ ABSL_GUARDED_BY(mu_) = false;  // of Advance()
  bool flushes_later_ ABSL_GUARDED_BY(mu_) = false;
  int parked_ ABSL_GUARDED_BY(mu_) = 0;
  uint32_t waiter_ ABSL_GUARDED_BY(mu_) = 0;
  TaskHandle timer_ ABSL_GUARDED_BY(mu_) = TaskHandle::kInvalid;  // the deadline's
};

}  // namespace grpc_cxl::internal

#endif  // GRPC_CXL_DIRECT_STREAM_CALL_H_
