// SPDX-License-Identifier: Apache-2.0
#ifndef GRPC_CXL_STREAMS_CLIENT_STREAMS_H_
#define GRPC_CXL_STREAMS_CLIENT_STREAMS_H_

#include <array>
#include <atomic>
#include <cstdint>
#include <memory>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"
#include "grpc_cxl/priority_level.h"
#include "grpc_cxl/streams/stream_end.h"
#include "grpc_cxl/streams/stream_layout.h"
#include "grpc_cxl/streams/stream_memory.h"

namespace grpc_cxl::internal {

class ClientStreams;

// A slot in the hands of one stream, the client's side. Not thread-safe, but for news() and
// WakeParked(). Must not outlive ClientStreams.
class ClientStream final : public StreamEnd {
 public:
  ClientStream(ClientStreams* owner, int slot, uint32_t generation, StreamRings* rings);

  // Instead of Post(), and of any Write(): the slot is as if it had not been opened.
  void Discard();
  // Hands the stream to the server, after the first Write().
  void Post(Priority priority = Priority::kDefault);
  StreamState state() const;
  // Takes a posted stream back: the connection has ended. True: the server has not run it, and will
  // not.
  bool TakeBack();

  // Asks the server to end the stream; its kEnd follows.
  void Cancel();
  // Ends the use of the slot: after kEnd, or kRefused.
  void Close();

  // Counts the news from the server.
  uint32_t news() const;
  // How the client waits; then look once more.
  void SetWaiter(uint32_t bits);
  // Sleeps while news() is `seen`. With kStreamParked set.
  void Park(uint32_t seen, int64_t nanoseconds) const;
  // When the server last woke us from that, as it says, by CLOCK_MONOTONIC.
  int64_t WokenAt() const;
  void WakeParked() const;

 private:
  void Tell() override;

  ClientStreams* const owner_;
  const int slot_;
  const uint32_t generation_;
};

// The client's half of a stream area (stream_layout.h); its twin is ServerStreams.
//
//     free --Open()--> open --Post()--> posted --kEnd--> Close()--> closed --kIdle--> free
//
// Knows no gRPC. Thread-safe.
class ClientStreams {
 public:
  explicit ClientStreams(StreamMemory memory);

  // A free slot for `user`, which hears of it until ClientStream::Close(). Null: there is none.
  std::unique_ptr<ClientStream> Open(std::shared_ptr<StreamUser> user);

  // For the polling thread.
  bool Ready() const;
  void Run();

  // Open() opens none from now on; seq_cst, with it: that sees this, or busy() sees its slot.
  void Retire() { retired_.store(true, std::memory_order_seq_cst); }
  // The connection has ended.
  void Ended();
  bool ended() const { return ended_.load(std::memory_order_seq_cst); }

  // Gives the memory of our rings back of which the server has read all.
  void Rest();
  bool MayRest() const { return rings_.MayRest(); }

  // Open and posted streams.
  int busy() const { return busy_.load(std::memory_order_seq_cst); }
  // Of all slots.
  BytesThroughRings bytes() const {
    return rings_.made() ? BytesOf(memory_, StreamSide::kClient) : BytesThroughRings{};
  }

 private:
  friend class ClientStream;

  struct Slot {
    uint32_t generation = 0;
    std::shared_ptr<StreamUser> user;  // null: closed or free
    uint32_t seen_news = 0;
  };

  void Closed(int slot, bool posted);

  const StreamMemory memory_;
  absl::Mutex mu_;
  std::array<Slot, kStreamSlots> slots_ ABSL_GUARDED_BY(mu_);
  AllStreamRings rings_;                 // of a free slot used under mu_, else by its stream
  std::atomic<uint64_t> seen_total_{0};  // of the polling thread
  std::atomic<bool> retired_{false};
  std::atomic<bool> ended_{false};
  std::atomic<int> busy_{0};
};

}  // namespace grpc_cxl::internal

#endif  // GRPC_CXL_STREAMS_CLIENT_STREAMS_H_
