#ifndef GRPC_CXL_DIRECT_SERVER_CALLS_H_
#define GRPC_CXL_DIRECT_SERVER_CALLS_H_

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/functional/function_ref.h"
#include "absl/status/status.h"
#include "absl/synchronization/mutex.h"
#include "absl/types/span.h"
#include "grpc_cxl/coherence/shared_view.h"
#include "grpc_cxl/direct/call_layout.h"

namespace grpc_cxl {

// The server's half of a region of calls (call_layout.h); its twin is ClientCalls.
//
//     idle --Run() takes it--> running --Respond()--> sending --last part--> idle
//
// The client may be hostile: whatever it writes, the worst is a DATA_LOSS from Run(), after
// which the connection is to be closed. Knows no gRPC. Thread-safe.
class ServerCalls {
 public:
  // Names one call; its slot may have carried others since.
  struct CallId {
    int slot;
    uint32_t generation;
  };

  // As for ClientCalls; `ring` wakes the client.
  ServerCalls(absl::Span<char> region, size_t buffer_bytes, std::function<void()> ring,
              SharedView view = {});
  ServerCalls(const ServerCalls&) = delete;
  ServerCalls& operator=(const ServerCalls&) = delete;

  size_t buffer_bytes() const { return buffer_bytes_; }

  // Whether calls are taken; at first they are not. Calls that were taken go on, and are
  // all counted by running() when this returns.
  void SetAccepting(bool accepting);

  // For the polling thread: is there anything new from the client, and handling it: every
  // call taken is given to `on_call` with its request (for DecodeRequest()), every
  // cancellation of a running call to `on_cancel`. Each call needs its Respond().
  bool Ready() const;
  absl::Status Run(absl::FunctionRef<void(CallId, std::string request)> on_call,
                   absl::FunctionRef<void(CallId)> on_cancel);

  // Ends a call with a response from EncodeResponseHead() and its message. From any thread,
  // also after the connection has ended.
  void Respond(CallId call, std::string response);

  // Calls that were taken and whose response the client has not read to its last part, and
  // those of them that have no response yet.
  int busy() const { return busy_.load(std::memory_order_seq_cst); }
  int running() const { return running_.load(std::memory_order_seq_cst); }

 private:
  enum class Stage { kIdle, kRunning, kSending };
  struct Slot {
    absl::Mutex mu;
    Stage stage ABSL_GUARDED_BY(mu) = Stage::kIdle;
    uint32_t generation ABSL_GUARDED_BY(mu) = 0;
    std::string response ABSL_GUARDED_BY(mu);
    size_t sent ABSL_GUARDED_BY(mu) = 0;
    uint32_t parts ABSL_GUARDED_BY(mu) = 0;
  };
  struct Taken {
    CallId call;
    std::string request;
  };

  // Acts upon everything that is new from the client, but for telling the caller of it.
  absl::Status Look(std::vector<Taken>* taken, std::vector<CallId>* cancelled);
  absl::Status Take(int slot, std::vector<Taken>* taken);
  absl::Status SendNext(int slot);
  void SendPart(int slot, Slot& state) ABSL_EXCLUSIVE_LOCKS_REQUIRED(state.mu);
  // Publishes the slot's new word and tells the client, as it wants to be told.
  void Tell(int slot, uint32_t word);

  const CallClientWords* const peer_;
  CallServerWords* const mine_;
  const CallClientSlot* const client_slots_;
  CallServerSlot* const server_slots_;
  const char* const requests_;
  char* const responses_;
  const size_t buffer_bytes_;
  const std::function<void()> ring_;
  const SharedView view_;

  std::atomic<bool> accepting_{false};
  std::atomic<int> busy_{0};
  std::atomic<int> running_{0};
  // What Run() has acted upon. Written under run_mu_, read by Ready().
  absl::Mutex run_mu_;
  std::atomic<uint64_t> seen_posted_{0};
  std::atomic<uint64_t> seen_cancelled_{0};
  std::atomic<uint64_t> seen_acked_{0};
  const std::unique_ptr<Slot[]> slots_;
};

}  // namespace grpc_cxl

#endif  // GRPC_CXL_DIRECT_SERVER_CALLS_H_
