// SPDX-License-Identifier: Apache-2.0
#ifndef GRPC_CXL_STREAMS_CLIENT_STREAMS_H_
#define GRPC_CXL_STREAMS_CLIENT_STREAMS_H_

#include <array>
#include <atomic>
#include <cstdint>
#include <memory>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/synchronization/mutex.h"
#include "absl/types/span.h"
#include "grpc_cxl/blocks/block_layout.h"
#include "grpc_cxl/streams/stream_layout.h"
#include "grpc_cxl/streams/stream_memory.h"
#include "grpc_cxl/streams/stream_pipe.h"

namespace grpc_cxl::internal {

class ClientStreams;

// A slot in the hands of one stream, the client's side. Errors mean that the server broke the
// protocol or that there is no memory: the connection must end. Not thread-safe, but for news()
// and WakeParked(). Must not outlive ClientStreams' memory.
class ClientStream {
 public:
  ClientStream(ClientStreams* owner, int slot, uint32_t generation);

  // Next() leaves out messages above it (StreamItem::too_large).
  void LimitMessages(uint64_t bytes) { reader_.LimitMessages(bytes); }

  // Instead of Post(), and of any Write(): the slot is as if it had not been opened.
  void Discard();
  // Hands the stream to the server, after the first Write().
  void Post();
  StreamState state() const;
  // Takes a posted stream back: the connection has ended. True: the server has not run it, and will
  // not.
  bool TakeBack();

  absl::Status Write(StreamRecord kind, absl::Span<const absl::Span<const char>> pieces);
  // Goes on with what did not fit, until ready(): all is in the ring (all_written()), and the other
  // side has not more of it to read than a stream may have in blocks.
  absl::Status Flush();
  bool all_written() const { return writer_.empty(); }
  bool ready() const { return writer_.ready(); }
  // Whose records are not wholly in the ring: a server never comes to know of them after Close().
  std::vector<BlockDescriptor> unfinished_blocks() const { return writer_.unfinished_blocks(); }
  absl::StatusOr<bool> Next(StreamItem* record);
  // The connection has ended: Next() gives what a ring can hold, and then nothing.
  void ReadWhatIsLeft() { reader_.ReadWhatIsLeft(); }

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
  void Tell();

  ClientStreams* const owner_;
  const int slot_;
  const uint32_t generation_;
  RingWriter tx_;
  RingReader rx_;
  StreamWriter writer_;
  StreamReader reader_;
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

  // Open and posted streams.
  int busy() const { return busy_.load(std::memory_order_seq_cst); }
  // Grows with what happens in either direction.
  uint64_t activity() const {
    // relaxed, both: figures by themselves.
    return memory_.client_news->total.load(std::memory_order_relaxed) +
           memory_.server_news->total.load(std::memory_order_relaxed);
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
  bool reserved_ ABSL_GUARDED_BY(mu_) = false;  // our slots' words
  std::atomic<uint64_t> seen_total_{0};         // of the polling thread
  std::atomic<bool> retired_{false};
  std::atomic<bool> ended_{false};
  std::atomic<int> busy_{0};
};

}  // namespace grpc_cxl::internal

#endif  // GRPC_CXL_STREAMS_CLIENT_STREAMS_H_
