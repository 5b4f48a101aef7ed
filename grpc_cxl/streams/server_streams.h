// SPDX-License-Identifier: Apache-2.0
#ifndef GRPC_CXL_STREAMS_SERVER_STREAMS_H_
#define GRPC_CXL_STREAMS_SERVER_STREAMS_H_

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/functional/function_ref.h"
#include "absl/status/status.h"
#include "absl/synchronization/mutex.h"
#include "grpc_cxl/priority_level.h"
#include "grpc_cxl/streams/stream_end.h"
#include "grpc_cxl/streams/stream_layout.h"
#include "grpc_cxl/streams/stream_memory.h"

namespace grpc_cxl::internal {

class ServerStreams;

// A stream that the server has taken. Not thread-safe. Must not outlive ServerStreams.
class ServerStream final : public StreamEnd {
 public:
  ServerStream(ServerStreams* owner, int slot, uint32_t generation, StreamRings* rings);

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
  void Tell() override;

  ServerStreams* const owner_;
  const int slot_;
  const uint32_t generation_;
  bool ended_ = false;
};

// The server's half of a stream area (stream_layout.h); its twin is ClientStreams. Grants the
// client two slots to begin with, and twice as many when half of them are in use.
//
//     free --Run(): no room--> waits --TakeWaiting()--> taken --Free()--> free
//       |                        |--cancelled, Refuse()--> refused
//       |                        '-------- Ended() -----------> free
//       '----- there is room --------> taken, or refused
//
// The client may be hostile: whatever it writes, the worst is an error, after which the
// connection is to be closed. Knows no gRPC. Thread-safe.
class ServerStreams {
 public:
  // Asked for the memory of a slot's rings before the slot's first stream is taken. False: it is
  // refused.
  using Budget = std::function<bool(size_t bytes)>;
  ServerStreams(StreamMemory memory, Budget budget);

  // Whether the client is to begin streams; at first it is not.
  void SetAccepting(bool accepting);

  // A stream for which there is no room yet. A plain value.
  struct Waiting {
    int slot;
    uint32_t generation;
    Priority priority;
  };
  // What Run() has found.
  struct News {
    std::vector<Waiting> waiting;    // from now on
    std::vector<Waiting> withdrawn;  // that waited, and were cancelled
    absl::Status status;             // not OK: the client broke the protocol
  };
  // Makes a stream's user; null: it is refused.
  using Begin =
      absl::FunctionRef<std::shared_ptr<StreamUser>(std::unique_ptr<ServerStream>, Priority)>;
  // For the polling thread: whether the client has news, and acting upon them. `has_room`: whether
  // a stream may be taken now; else it waits.
  bool Ready() const;
  News Run(absl::FunctionRef<bool(Priority)> has_room, Begin begin);
  // Takes one that waits. False: it was withdrawn, or is not taken after all.
  bool TakeWaiting(const Waiting& waiting, Begin begin);
  // False: it does not wait any more.
  bool Refuse(const Waiting& waiting);

  // The connection has ended: users hear of it.
  void Ended();

  // Gives the memory of our rings back of which the client has read all.
  void Rest();
  bool MayRest() const { return rings_.MayRest(); }

  // Streams with a slot, and those taken without their status in the ring.
  int busy() const { return busy_.load(std::memory_order_seq_cst); }
  int running() const { return running_.load(std::memory_order_seq_cst); }
  // Of all slots.
  BytesThroughRings bytes() const {
    return rings_.made() ? BytesOf(memory_, StreamSide::kServer) : BytesThroughRings{};
  }

 private:
  friend class ServerStream;

  static constexpr size_t kGrantedAtFirst = 2;

  struct Slot {
    uint32_t generation = 0;
    Priority priority = Priority::kDefault;
    bool waits = false;
    bool charged = false;  // the budget has been asked
    std::shared_ptr<StreamUser> user;
    uint32_t seen_news = 0;
  };

  void StoreGranted() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  // The memory of the slot's rings, and the first page of ours. False: there is none.
  bool Charge(int index) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  // False: it does not wait any more.
  bool StopWaiting(const Waiting& waiting) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  // A slot without a user has news.
  absl::Status Look(int slot, absl::FunctionRef<bool(Priority)> has_room, Begin begin, News* news);
  bool Cancelled(const Waiting& stream) const;
  // For the thread that has found a stream new, or has stopped its waiting.
  void BeginSeen(const Waiting& stream, Begin begin);
  void RefuseSeen(const Waiting& stream);
  void Publish(int slot, std::shared_ptr<StreamUser> user);
  void Free(int slot);

  const StreamMemory memory_;
  const Budget budget_;
  absl::Mutex mu_;
  std::array<Slot, kStreamSlots> slots_ ABSL_GUARDED_BY(mu_);
  bool accepting_ ABSL_GUARDED_BY(mu_) = false;
  bool ended_ ABSL_GUARDED_BY(mu_) = false;
  size_t granted_ ABSL_GUARDED_BY(mu_) = kGrantedAtFirst;
  AllStreamRings rings_;                 // of a free slot used under mu_, else by its stream
  std::atomic<uint64_t> seen_total_{0};  // of the polling thread
  std::atomic<int> busy_{0};
  std::atomic<int> running_{0};
};

}  // namespace grpc_cxl::internal

#endif  // GRPC_CXL_STREAMS_SERVER_STREAMS_H_
