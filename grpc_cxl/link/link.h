// SPDX-License-Identifier: Apache-2.0
#ifndef GRPC_CXL_LINK_LINK_H_
#define GRPC_CXL_LINK_LINK_H_

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <utility>

#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "grpc_cxl/arena/arena.h"
#include "grpc_cxl/base/counter.h"
#include "grpc_cxl/base/unique_fd.h"
#include "grpc_cxl/blocks/block_borrower.h"
#include "grpc_cxl/blocks/block_pool.h"
#include "grpc_cxl/coherence/far_memory.h"
#include "grpc_cxl/coherence/shared_view.h"
#include "grpc_cxl/doorbell/doorbell.h"
#include "grpc_cxl/link/link_layout.h"
#include "grpc_cxl/link/liveness.h"
#include "grpc_cxl/ring/ring_reader.h"
#include "grpc_cxl/ring/ring_writer.h"
#include "grpc_cxl/status/status_layout.h"

namespace grpc_cxl::internal {

// Counters of one side of a link.
struct LinkCounters {
  Counter bytes_written;
  Counter bytes_read;
  Counter wakes;       // wake-ups sent: one system call each
  Counter woken;       // looks at the socket
  Counter full_waits;  // writes that found the ring full
};

// A link's properties other than its memory. The defaults are those of a link with a socket.
struct LinkOptions {
  MemoryModel memory{};  // how this process gets at the arena; both ends need the same coherence
  // Neither end wakes the other: both look at the memory by themselves, so both must say so. For
  // peers that cannot be woken; needed when there is no socket.
  bool polls = false;
  std::unique_ptr<Liveness> liveness{};  // instead of the socket
  std::shared_ptr<void> lease{};         // may be null; given back when the arena is unmapped
  std::shared_ptr<Fence> fence{};        // may be null; see SharedView
  // With all our memory (peer_trust.h): pages may be given back.
  bool trust_peer = false;
  // Of the server, which keeps accounts: the limits of its own payload and of the client's. Null:
  // none.
  std::unique_ptr<AreaLimit> own_limit{}, peer_limit{};
};

// One end of a connection: an arena with a ring and maybe payload blocks in each direction, a
// doorbell, and the unix socket whose end-of-file says that the peer is gone. Its twin lives
// in the peer's process. Knows no gRPC and never blocks.
//
// Between hosts there is no socket: LinkOptions::polls, and a Liveness that knows when the peer
// is gone.
//
// Blocks and loans of blocks may outlive the link; the arena stays mapped until the last.
//
// The peer may be hostile: whatever it writes into the arena, the worst is a DATA_LOSS
// status, after which the link is of no more use.
//
// Thread-safety: three independent parts, each for one thread at a time: writing (Write,
// FreeSpace, Publish, WantSpace, ClearWantSpace), reading (Readable, Front, Consume), sleeping
// (PrepareToSleep, Awake, Drain). MaybeReadable(), MaybeWritable(), PeerClosedStream(), Close(),
// Wake(), WokenAt() and the counters are for all.
class Link {
 public:
  enum class Side { kServer, kClient };

  // Takes an arena (fresh on the server's side, attached on the client's) and the
  // connection's socket (SOCK_SEQPACKET, non-blocking, handshake done), or an empty one.
  // INVALID_ARGUMENT when a size is not legal (see LinkSizes) or the arena is too small for
  // them.
  static absl::StatusOr<std::unique_ptr<Link>> Create(Side side, Arena arena, UniqueFd socket,
                                                      const LinkSizes& sizes,
                                                      LinkOptions options = {});
  ~Link();

  // Writing: copies what fits and returns how much that was. The peer sees it, and is
  // woken if it sleeps, after Publish(). FreeSpace() is RingWriter's.
  absl::StatusOr<size_t> Write(absl::Span<const char> bytes) { return tx_.Write(bytes); }
  absl::StatusOr<size_t> FreeSpace(size_t enough) { return tx_.FreeSpace(enough); }
  void Publish();
  // After a short write: the peer will wake us once half the ring is free. Look once more
  // with Write() before sleeping. When all is written, ClearWantSpace(), or the peer goes
  // on waking us whenever it reads.
  void WantSpace();
  void ClearWantSpace() {
    if (!polls_) tx_.ClearWantSpace();
    // relaxed: for MaybeWritable(). A wish that is over must not hide space from it: the peer
    // wakes nobody for it any more.
    space_wanted_at_.store(tx_.position() - tx_.capacity(), std::memory_order_relaxed);
  }

  // Reading: how much there is, the next piece of it in place, and giving it back; the
  // peer is woken if it waits for that space.
  absl::StatusOr<size_t> Readable() { return rx_.Readable(); }
  absl::Span<const char> Front() const { return rx_.Front(); }
  void Consume(size_t bytes);

  // Where caches do not see each other, brings all that the peer tells to here, in one trip to
  // memory; elsewhere does nothing, and returns false. For a polling thread, before the hints. From
  // any thread.
  bool Look() const {
    if (view().coherent()) return false;
    RefreshLine();
    return true;
  }

  // Hints for a polling thread: one shared load each, wrong only by being early or, until
  // the next look, late. MaybeWritable() tells whether the last WantSpace() is fulfilled.
  bool MaybeReadable() const;
  bool MaybeWritable() const;

  // Sleeping, as in doorbell.h: PrepareToSleep(), look once more, sleep on socket(). When the
  // link polls, there is nothing to prepare, and socket() may be -1; Drain() then asks the
  // Liveness.
  void PrepareToSleep() {
    if (!polls_) sleeper_.PrepareToSleep();
  }
  void Awake() { sleeper_.Awake(); }
  // When the peer last woke us, as it says, by CLOCK_MONOTONIC in nanoseconds. It may say anything.
  int64_t WokenAt() const;
  DoorbellSleeper::Line Drain();
  int socket() const { return socket_.get(); }
  bool polls() const { return polls_; }
  // Whether the Liveness says so; a socket tells by itself.
  bool PeerGone() { return liveness_ != nullptr && liveness_->PeerGone(); }

  // Ends the stream: the peer gets what was published, then PeerClosedStream() tells it, which is a
  // hint like the others: as of the last Look().
  void CloseStream();
  bool PeerClosedStream() const;

  // Ends the connection: the peer gets what was published, then end-of-file.
  void Close();

  // Payload blocks: those we lend, and those the peer lends us. Null when none were agreed.
  const std::shared_ptr<BlockPool>& pool() const { return pool_; }
  const std::shared_ptr<BlockBorrower>& borrower() const { return borrower_; }

  // Memory for direct calls, `call_bytes` large, and waking the peer for their sake.
  absl::Span<char> call_area() const { return call_area_; }
  // The parts of both look lines that are for calls, the peer's as of the last Look(); null where
  // memory is coherent, and these words lie in the area.
  SharedU64* my_call_look() const { return view().coherent() ? nullptr : mine_->look.calls; }
  const SharedU64* peer_call_look() const {
    return view().coherent() ? nullptr : peer_line_->calls;
  }
  SharedView view() const { return SharedView(memory_->far.get()); }
  void Wake();

  // Whether the peer asks for more or less of its payload, and the answer.
  bool Asked() const { return borrower_ != nullptr && borrower_->Asked(); }
  void Answer() {
    if (borrower_ != nullptr) borrower_->Answer();
  }

  // Gives memory back that the connection does not need at rest. One thread at a time, also with
  // writing.
  void Rest();
  // Whether Rest() may have something to give.
  bool MayRest() const { return tx_.MayRest() || (pool_ != nullptr && pool_->MayRest()); }
  ArenaPages pages() const { return pages_; }

  const LinkCounters& counters() const { return counters_; }
  // Sets what the link knows. From any thread.
  void FillStatus(StatusConnection* entry) const;
  size_t ring_bytes() const { return tx_.capacity(); }
  size_t arena_bytes() const { return memory_->arena.size(); }

 private:
  struct Memory {
    std::shared_ptr<void> lease;
    Arena arena;
    std::unique_ptr<FarMemory> far;  // null: plain

    Memory(std::shared_ptr<void> lease, Arena arena, std::unique_ptr<FarMemory> far)
        : lease(std::move(lease)), arena(std::move(arena)), far(std::move(far)) {}
  };
  // Where everything is, seen from one side.
  struct Map;
  void RefreshLine() const;
  // Takes own_limit out of `options`.
  BlockGrowth OwnGrowth(Side side, const Map& map, LinkOptions& options,
                        size_t granted_pages) const;

  Link(Side side, std::shared_ptr<const Memory> memory, UniqueFd socket, const Map& map, bool polls,
       LinkOptions options, size_t granted_pages);

  const std::shared_ptr<const Memory> memory_;
  const ArenaPages pages_;
  UniqueFd socket_;
  const bool polls_;
  const std::unique_ptr<Liveness> liveness_;  // null: the socket's end-of-file tells
  LinkSideWords* const mine_;
  const LinkSideWords* const peer_;
  const LinkLookLine* const peer_line_;  // a mirror; unused where memory is coherent
  const LinkLookWords<SharedU64> my_look_;
  const LinkLookWords<const SharedU64> peer_look_;
  const std::shared_ptr<BlockPool> pool_;
  const std::shared_ptr<BlockBorrower> borrower_;
  const absl::Span<char> call_area_;
  RingWriter tx_;
  RingReader rx_;
  // How far we have read, and which position of the peer's tail fulfils the last
  // WantSpace(). Kept outside the arena, where a hostile peer could set them so that the
  // hints say yes for ever.
  std::atomic<uint64_t> consumed_;
  std::atomic<uint64_t> space_wanted_at_;
  DoorbellSleeper sleeper_;
  DoorbellWaker waker_;
  LinkCounters counters_;
};

}  // namespace grpc_cxl::internal

#endif  // GRPC_CXL_LINK_LINK_H_
