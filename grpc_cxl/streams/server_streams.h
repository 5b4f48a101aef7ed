// SPDX-License-Identifier: Apache-2.0
#ifndef GRPC_CXL_STREAMS_SERVER_STREAMS_H_
#define GRPC_CXL_STREAMS_SERVER_STREAMS_H_

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>

#include "absl/base/thread_annotations.h"
#include "absl/functional/function_ref.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/synchronization/mutex.h"
#include "absl/types/span.h"
#include "grpc_cxl/streams/stream_layout.h"
#include "grpc_cxl/streams/stream_memory.h"
#include "grpc_cxl/streams/stream_pipe.h"

namespace grpc_cxl::internal {

class ServerStreams;

// A stream that the server has taken. Errors mean that the client broke the protocol or that there
// is no memory: the connection must end. Not thread-safe. Must not outlive ServerStreams.
class ServerStream {
 public:
  ServerStream(ServerStreams* owner, int slot, uint32_t generation);

  // Next() leaves out messages above it (StreamItem::too_large).
  void LimitMessages(uint64_t bytes) { reader_.LimitMessages(bytes); }

  absl::Status Write(StreamRecord kind, absl::Span<const absl::Span<const char>> pieces);
  // Goes on with what did not fit, until ready(): all is in the ring (all_written()), and the other
  // side has not more of it to read than a stream may have in blocks.
  absl::Status Flush();
  bool all_written() const { return writer_.empty(); }
  bool ready() const { return writer_.ready(); }
  absl::StatusOr<bool> Next(StreamItem* record);

  // Whether the client has given the stream up, and whether it is over for the client, which
  // writes no more.
  bool cancelled() const;
  bool closed() const;

  // kEnd is in the ring.
  void SetEnded();
  // When it is closed() and all has been read: ends the use of the slot.
  void Free();

 private:
  friend class ServerStreams;

  void SetState(StreamState state);
  void Tell();

  ServerStreams* const owner_;
  const int slot_;
  const uint32_t generation_;
  bool ended_ = false;
  RingWriter tx_;
  RingReader rx_;
  StreamWriter writer_;
  StreamReader reader_;
};

// The server's half of a stream area (stream_layout.h); its twin is ClientStreams. Grants the
// client two slots to begin with, and twice as many when half of them are in use.
//
// The client may be hostile: whatever it writes, the worst is an error, after which the
// connection is to be closed. Knows no gRPC. Thread-safe.
class ServerStreams {
 public:
  // Asked for the memory of a slot's rings before it is granted.
  using Budget = std::function<bool(size_t bytes)>;
  ServerStreams(StreamMemory memory, Budget budget);

  // Whether the client is to begin streams; at first it is not.
  void SetAccepting(bool accepting);

  // Makes a stream's user; null: it is refused.
  using Begin = absl::FunctionRef<std::shared_ptr<StreamUser>(std::unique_ptr<ServerStream>)>;
  // For the polling thread: whether the client has news, and acting upon them.
  bool Ready() const;
  absl::Status Run(Begin begin);

  // The connection has ended: users hear of it.
  void Ended();

  // Streams that are taken, and those without their status in the ring.
  int busy() const { return busy_.load(std::memory_order_seq_cst); }
  int running() const { return running_.load(std::memory_order_seq_cst); }
  // Grows with what happens in either direction.
  uint64_t activity() const {
    // relaxed, both: figures by themselves.
    return memory_.client_news->total.load(std::memory_order_relaxed) +
           memory_.server_news->total.load(std::memory_order_relaxed);
  }

 private:
  friend class ServerStream;

  struct Slot {
    uint32_t generation = 0;
    std::shared_ptr<StreamUser> user;
    uint32_t seen_news = 0;
  };

  void GrantMore() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  void StoreGranted() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  absl::Status Take(int slot, Begin begin);
  void Free(int slot);

  const StreamMemory memory_;
  const Budget budget_;
  absl::Mutex mu_;
  std::array<Slot, kStreamSlots> slots_ ABSL_GUARDED_BY(mu_);
  bool accepting_ ABSL_GUARDED_BY(mu_) = false;
  bool reserved_ ABSL_GUARDED_BY(mu_) = false;  // our slots' words
  bool ended_ ABSL_GUARDED_BY(mu_) = false;
  size_t granted_ ABSL_GUARDED_BY(mu_) = 0;
  std::atomic<uint64_t> seen_total_{0};  // of the polling thread
  std::atomic<int> busy_{0};
  std::atomic<int> running_{0};
};

}  // namespace grpc_cxl::internal

#endif  // GRPC_CXL_STREAMS_SERVER_STREAMS_H_
