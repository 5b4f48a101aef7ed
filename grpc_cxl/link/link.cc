#include "grpc_cxl/link/link.h"

#include <sys/socket.h>
#include <unistd.h>

#include <memory>
#include <utility>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "grpc_cxl/base/layout_version.h"
#include "grpc_cxl/doorbell/full_fence.h"

namespace grpc_cxl {
namespace {

void WriteHeader(const Arena& arena, size_t ring_bytes) {
  auto* header = reinterpret_cast<LinkHeader*>(arena.data());
  header->magic = kArenaMagic;
  header->arena_bytes = arena.size();
  header->ring_bytes = ring_bytes;
  header->server_pid = static_cast<uint32_t>(getpid());
  // Matched by the acquire load of whoever looks at the arena from outside.
  header->layout_version.store(kLayoutVersion, std::memory_order_release);
}

// For a counter that only one thread writes: no locked instruction.
void Count(std::atomic<uint64_t>& counter, uint64_t more) {
  counter.store(counter.load(std::memory_order_relaxed) + more, std::memory_order_relaxed);
}

}  // namespace

absl::StatusOr<std::unique_ptr<Link>> Link::Create(Side side, Arena arena, UniqueFd socket,
                                                   size_t ring_bytes, size_t call_bytes) {
  if (ring_bytes < (4 << 10) || ring_bytes > (1 << 30) || (ring_bytes & (ring_bytes - 1)) != 0) {
    return absl::InvalidArgumentError(absl::StrCat(
        "a ring of ", ring_bytes, " bytes: must be a power of two from 4 KiB to 1 GiB"));
  }
  if (call_bytes > arena.size() || arena.size() < ArenaBytes(ring_bytes, call_bytes)) {
    return absl::InvalidArgumentError(
        absl::StrCat("an arena of ", arena.size(), " bytes has no room for two rings of ",
                     ring_bytes, " bytes and ", call_bytes, " bytes of calls"));
  }
  if (side == Side::kServer) WriteHeader(arena, ring_bytes);
  char* const base = arena.data();
  auto* const server = reinterpret_cast<LinkSideWords*>(base + kLinkPageBytes);
  auto* const client = reinterpret_cast<LinkSideWords*>(base + 2 * kLinkPageBytes);
  const absl::Span<char> to_server(base + kLinkControlBytes, ring_bytes);
  const absl::Span<char> to_client(base + kLinkControlBytes + ring_bytes, ring_bytes);
  const absl::Span<char> calls(base + kLinkControlBytes + 2 * ring_bytes, call_bytes);
  const bool is_server = side == Side::kServer;
  return std::unique_ptr<Link>(new Link(
      std::move(arena), std::move(socket), is_server ? server : client, is_server ? client : server,
      is_server ? to_client : to_server, is_server ? to_server : to_client, calls));
}

Link::Link(Arena arena, UniqueFd socket, LinkSideWords* mine, const LinkSideWords* peer,
           absl::Span<char> out, absl::Span<const char> in, absl::Span<char> call_region)
    : arena_(std::move(arena)),
      socket_(std::move(socket)),
      call_region_(call_region),
      mine_(mine),
      peer_(peer),
      tx_(&mine->tx, &peer->rx, out),
      rx_(&mine->rx, &peer->tx, in),
      consumed_(rx_.position()),
      space_wanted_at_(tx_.position() - tx_.capacity()),
      sleeper_(&mine->doorbell, socket_.get()),
      ringer_(&peer->doorbell, socket_.get()) {}

void Link::Publish() {
  const size_t bytes = tx_.Publish();
  if (bytes == 0) return;
  Count(counters_.bytes_written, bytes);
  Ring();
}

void Link::Ring() {
  if (ringer_.Ring()) counters_.rings.fetch_add(1, std::memory_order_relaxed);
}

void Link::WantSpace() {
  Count(counters_.full_waits, 1);
  const size_t bytes = tx_.capacity() / 2;
  tx_.WantSpace(bytes);
  // relaxed: for MaybeWritable(), which may be early and, until the next look, late.
  space_wanted_at_.store(tx_.position() + bytes - tx_.capacity(), std::memory_order_relaxed);
  FullFence();  // matched by the one in Consume(): it sees the wish, or we see its space
}

void Link::Consume(size_t bytes) {
  rx_.Consume(bytes);
  // relaxed: for MaybeReadable(), as above.
  consumed_.store(rx_.position(), std::memory_order_relaxed);
  Count(counters_.bytes_read, bytes);
  FullFence();  // matched by the one in WantSpace()
  if (rx_.WriterWantsRing() && ringer_.RingAfterFence()) {
    counters_.rings.fetch_add(1, std::memory_order_relaxed);
  }
}

bool Link::MaybeReadable() const {
  // Matched by the release store in the peer's RingWriter::Publish().
  return peer_->tx.head.load(std::memory_order_acquire) !=
         consumed_.load(std::memory_order_relaxed);
}

bool Link::MaybeWritable() const {
  // Matched by the release store in the peer's RingReader::Consume().
  const uint64_t tail = peer_->rx.tail.load(std::memory_order_acquire);
  return static_cast<int64_t>(tail - space_wanted_at_.load(std::memory_order_relaxed)) >= 0;
}

void Link::CloseStream() {
  // Matched by the acquire load in the peer's PeerClosedStream(): what was published is seen.
  mine_->state.stream_closed.store(1, std::memory_order_release);
  Ring();
}

bool Link::PeerClosedStream() const {
  return peer_->state.stream_closed.load(std::memory_order_acquire) != 0;
}

void Link::Close() { ::shutdown(socket_.get(), SHUT_RDWR); }

}  // namespace grpc_cxl
