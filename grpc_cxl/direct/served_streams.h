// SPDX-License-Identifier: Apache-2.0
#ifndef GRPC_CXL_DIRECT_SERVED_STREAMS_H_
#define GRPC_CXL_DIRECT_SERVED_STREAMS_H_

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <set>
#include <utility>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/synchronization/mutex.h"
#include "grpc_cxl/calls/call_capacity.h"
#include "grpc_cxl/priority_level.h"
#include "grpc_cxl/status/status_layout.h"
#include "grpc_cxl/status/stream_figures.h"
#include "grpc_cxl/streams/server_streams.h"
#include "grpc_cxl/streams/stream_memory.h"

namespace grpc_cxl::internal {

// What a stream needs of its server from its beginning to its end.
struct StreamTerms {
  // Its place in the server's capacity, which it leaves when the last copy goes. With a name, which
  // goes into the call's metadata, the handler holds one too (CallPlace).
  std::shared_ptr<void> place;
  std::string place_name;
  uint64_t waited_ns = 0;            // for its place
  StreamFigures* figures = nullptr;  // of its connection, which the stream keeps
};

// The streams of a connection, and their places in the server's capacity: a stream holds a place as
// a call does, and waits for it in its slot. Its turns are its own, beside those of the
// connection's calls. Thread-safe.
class ServedStreams final : public CallCapacity::Connection {
 public:
  // Makes a stream's user; null: it is refused.
  using Begin =
      std::function<std::shared_ptr<StreamUser>(std::unique_ptr<ServerStream>, StreamTerms terms)>;

  // `self` keeps this alive, null when that is over; `tell`: the load has changed; `over`: a stream
  // that waited may be over, as nobody has taken it.
  ServedStreams(std::unique_ptr<ServerStreams> streams, std::shared_ptr<CallCapacity> capacity,
                std::function<std::shared_ptr<ServedStreams>()> self, Begin begin,
                std::function<void()> tell, std::function<void()> over);
  ~ServedStreams() override;

  // For the polling thread. Streams may be over when it returns, without `over`.
  bool Ready() const { return streams_->Ready(); }
  absl::Status Run();

  void Accept() { streams_->SetAccepting(true); }
  // Takes no more.
  void Retire();
  void Ended();
  void Rest() { streams_->Rest(); }
  bool MayRest() const { return streams_->MayRest(); }

  int busy() const { return streams_->busy(); }
  int running() const { return streams_->running(); }
  uint64_t activity() const {
    const BytesThroughRings bytes = streams_->bytes();
    return bytes.out + bytes.in + figures_.streams;
  }
  void FillStatus(StatusConnection* entry) const;

  // For CallCapacity.
  Begun BeginNext(Priority priority) override;

 private:
  struct Waiting {
    ServerStreams::Waiting stream;
    int64_t seen_ns;
  };

  std::shared_ptr<StreamUser> Take(std::unique_ptr<ServerStream> stream, Priority priority,
                                   uint64_t waited_ns);
  void Wait(const ServerStreams::News& news);
  void RefuseWaiting();

  const std::unique_ptr<ServerStreams> streams_;
  const std::shared_ptr<CallCapacity> capacity_;
  const std::function<std::shared_ptr<ServedStreams>()> self_;
  const Begin begin_;
  const std::function<void()> tell_, over_;
  StreamFigures figures_;
  // seq_cst: who waits sees this, or RefuseWaiting() sees what waits.
  std::atomic<bool> retired_{false};

  absl::Mutex mu_;
  std::map<Priority, std::deque<Waiting>> waiting_ ABSL_GUARDED_BY(mu_);
  std::set<Priority> in_turn_ ABSL_GUARDED_BY(mu_);  // of which CallCapacity knows
  std::atomic<size_t> waiting_count_{0};             // for people; stored under mu_
};

}  // namespace grpc_cxl::internal

#endif  // GRPC_CXL_DIRECT_SERVED_STREAMS_H_
