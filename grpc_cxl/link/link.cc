// SPDX-License-Identifier: Apache-2.0
#include "grpc_cxl/link/link.h"

#include <sys/socket.h>
#include <unistd.h>

#include <memory>
#include <utility>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "grpc_cxl/base/foreign_fd.h"
#include "grpc_cxl/base/layout_version.h"
#include "grpc_cxl/blocks/granted_limit.h"
#include "grpc_cxl/doorbell/full_fence.h"

namespace grpc_cxl::internal {
namespace {

static_assert(sizeof(LinkLookLine) == kLineBytes);  // what SharedView::Mirror() copies

void WriteHeader(absl::Span<char> memory, SharedView view, size_t ring_bytes) {
  auto* header = reinterpret_cast<LinkHeader*>(memory.data());
  header->magic = kArenaMagic;
  header->arena_bytes = memory.size();
  header->ring_bytes = ring_bytes;
  header->server_pid = static_cast<uint32_t>(getpid());
  // Matched by the acquire load of a tool that looks at the arena from outside.
  view.Store(header->layout_version, kLayoutVersion,
             std::memory_order_release);  // with the rest of its line
}

}  // namespace

struct Link::Map {
  LinkSideWords* mine;
  LinkSideWords* peer;
  absl::Span<char> out, in;  // rings
  absl::Span<char> payload_out, payload_in;
  absl::Span<BlockReturnEntry> returns_out, returns_in;  // of the payload in that direction
  absl::Span<char> calls;
};

absl::StatusOr<std::unique_ptr<Link>> Link::Create(Side side, Arena arena, UniqueFd socket,
                                                   const LinkSizes& sizes, LinkOptions options) {
  const size_t ring_bytes = sizes.ring_bytes;
  if (ring_bytes < (4 << 10) || ring_bytes > (1 << 30) || (ring_bytes & (ring_bytes - 1)) != 0) {
    return absl::InvalidArgumentError(absl::StrCat(
        "a ring of ", ring_bytes, " bytes: must be a power of two from 4 KiB to 1 GiB"));
  }
  if (!IsAreaSize(sizes.payload_bytes)) {
    return absl::InvalidArgumentError(absl::StrCat("a payload area of ", sizes.payload_bytes,
                                                   " bytes: must be whole pages of ", kPageBytes,
                                                   " bytes up to 1 GiB"));
  }
  if (sizes.call_bytes > arena.size() || arena.size() < ArenaBytes(sizes)) {
    return absl::InvalidArgumentError(
        absl::StrCat("an arena of ", arena.size(), " bytes has no space for two rings of ",
                     ring_bytes, " bytes, two payload areas of ", sizes.payload_bytes,
                     " bytes and ", sizes.call_bytes, " bytes of calls"));
  }
  const absl::Span<char> mapping(arena.data(), arena.size());
  if (absl::Status status = arena.pages().Reserve(mapping.subspan(0, kLinkControlBytes));
      !status.ok()) {
    return status;
  }
  auto memory = std::make_shared<const Memory>(
      std::move(options.lease), std::move(arena),
      FarMemory::Create(options.memory, mapping, std::move(options.fence)));
  const absl::Span<char> working = WorkingMemory(memory->far.get(), mapping);
  if (side == Side::kServer) WriteHeader(working, SharedView(memory->far.get()), ring_bytes);
  // In the order of link_layout.h; what the client writes comes first.
  char* next = working.data() + kPageBytes;
  const auto take = [&next](size_t bytes) {
    return absl::Span<char>(std::exchange(next, next + bytes), bytes);
  };
  auto* const server = reinterpret_cast<LinkSideWords*>(take(kPageBytes).data());
  auto* const client = reinterpret_cast<LinkSideWords*>(take(kPageBytes).data());
  Map map;  // as the client sees it
  map.mine = client;
  map.peer = server;
  map.out = take(ring_bytes);
  map.in = take(ring_bytes);
  const size_t entries = AreaPages(sizes.payload_bytes);
  for (absl::Span<BlockReturnEntry>* returns : {&map.returns_out, &map.returns_in}) {
    *returns = absl::MakeSpan(
        reinterpret_cast<BlockReturnEntry*>(take(ReturnBytes(sizes.payload_bytes)).data()),
        entries);
  }
  map.calls = take(sizes.call_bytes);
  map.payload_out = take(sizes.payload_bytes);
  map.payload_in = take(sizes.payload_bytes);
  if (side == Side::kServer) {
    std::swap(map.mine, map.peer);
    std::swap(map.out, map.in);
    std::swap(map.payload_out, map.payload_in);
    std::swap(map.returns_out, map.returns_in);
  }
  const bool polls = options.polls || !socket;
  return std::unique_ptr<Link>(new Link(side, std::move(memory), std::move(socket), map, polls,
                                        std::move(options), sizes.granted_pages));
}

Link::Link(Side side, std::shared_ptr<const Memory> memory, UniqueFd socket, const Map& map,
           bool polls, LinkOptions options, size_t granted_pages)
    : memory_(std::move(memory)),
      pages_(memory_->arena.pages().on_use() ? ArenaPages(Reservation::kOnUse, options.trust_peer)
                                             : ArenaPages()),
      socket_(std::move(socket)),
      polls_(polls),
      liveness_(std::move(options.liveness)),
      mine_(map.mine),
      peer_(map.peer),
      peer_line_(view().Mirror(&map.peer->look)),
      my_look_(LookWords(mine_, view().coherent())),
      peer_look_(LookWords(peer_, peer_line_, view().coherent())),
      pool_(map.payload_out.empty()
                ? nullptr
                : std::make_shared<BlockPool>(memory_, map.payload_out, &map.mine->blocks,
                                              peer_look_.returned, map.returns_out, view(),
                                              OwnGrowth(side, map, options, granted_pages))),
      borrower_(map.payload_in.empty()
                    ? nullptr
                    : std::make_shared<BlockBorrower>(
                          memory_, map.payload_in, my_look_.returned, &map.peer->blocks,
                          map.returns_in, view(),
                          BlockGrant{.pages = pages(),
                                     .begin_pages = static_cast<uint32_t>(granted_pages),
                                     .limit = std::move(options.peer_limit),
                                     .granted = &map.mine->returns.granted})),
      call_area_(map.calls),
      tx_(RingWriter::Words{my_look_.head, &map.mine->tx.want_space, peer_look_.tail}, map.out,
          view(), pages()),
      rx_(RingReader::Words{my_look_.tail, peer_look_.head, &map.peer->tx.want_space}, map.in,
          view()),
      consumed_(rx_.position()),
      space_wanted_at_(tx_.position() - tx_.capacity()),
      sleeper_(&map.mine->doorbell, socket_.get(), view()),
      waker_(&map.peer->doorbell, &map.mine->doorbell, socket_.get(), view()) {}

BlockGrowth Link::OwnGrowth(Side side, const Map& map, LinkOptions& options,
                            size_t granted_pages) const {
  BlockGrowth growth{.pages = pages()};
  if (side == Side::kServer) {
    growth.limit = std::move(options.own_limit);
  } else if (pages().on_use()) {
    growth.begin_pages =
        static_cast<uint32_t>(std::min(granted_pages, AreaPages(map.payload_out.size())));
    growth.limit =
        std::make_unique<GrantedLimit>(&map.mine->blocks, &map.peer->returns, growth.begin_pages);
  }
  return growth;
}

void Link::Rest() {
  tx_.Rest();
  if (pool_ != nullptr && pool_->Rest()) Wake();
}

void Link::Publish() {
  const size_t bytes = tx_.Publish();
  if (bytes == 0) return;
  counters_.bytes_written.AddAlone(bytes);
  Wake();
}

void Link::Wake() {
  if (!polls_ && waker_.Wake()) counters_.wakes.Add();
}

int64_t Link::WokenAt() const {
  // relaxed: a figure by itself; the wake-up came after it. Nobody is woken where memory is not
  // coherent.
  return static_cast<int64_t>(peer_->doorbell.woke_at.load(std::memory_order_relaxed));
}

void Link::WantSpace() {
  counters_.full_waits.AddAlone();
  const size_t bytes = tx_.capacity() / 2;
  if (!polls_) tx_.WantSpace(bytes);
  // relaxed: for MaybeWritable(), which may be early and, until the next look, late.
  space_wanted_at_.store(tx_.position() + bytes - tx_.capacity(), std::memory_order_relaxed);
  FullFence();  // matched by the one in Consume(): it sees the wish, or we see its space
}

void Link::Consume(size_t bytes) {
  rx_.Consume(bytes);
  // relaxed: for MaybeReadable(), as above.
  consumed_.store(rx_.position(), std::memory_order_relaxed);
  counters_.bytes_read.AddAlone(bytes);
  if (polls_) return;
  FullFence();  // matched by the one in WantSpace()
  if (rx_.WriterWantsWake() && waker_.WakeAfterFence()) {
    counters_.wakes.Add();
  }
}

Link::~Link() { CloseSocket(std::move(socket_)); }

void Link::RefreshLine() const { view().Refresh(peer_line_); }

bool Link::MaybeReadable() const {
  // Matched by the release store in the peer's RingWriter::Publish().
  return view().Peek(*peer_look_.head, std::memory_order_acquire) !=
         consumed_.load(std::memory_order_relaxed);
}

bool Link::MaybeWritable() const {
  // Matched by the release store in the peer's RingReader::Consume().
  const uint64_t tail = view().Peek(*peer_look_.tail, std::memory_order_acquire);
  return static_cast<int64_t>(tail - space_wanted_at_.load(std::memory_order_relaxed)) >= 0;
}

void Link::CloseStream() {
  // Matched by the acquire load in the peer's PeerClosedStream(): what was published is seen.
  view().Store(*my_look_.stream_closed, uint64_t{1}, std::memory_order_release);
  Wake();
}

bool Link::PeerClosedStream() const {
  // Matched by the release store in CloseStream().
  return view().Peek(*peer_look_.stream_closed, std::memory_order_acquire) != 0;
}

DoorbellSleeper::Line Link::Drain() {
  counters_.woken.Add();
  if (PeerGone()) return DoorbellSleeper::Line::kPeerGone;
  return socket_ ? sleeper_.Drain() : DoorbellSleeper::Line::kOpen;
}

void Link::FillStatus(StatusConnection* entry) const {
  entry->arena = memory_->arena.inode();
  entry->arena_bytes = arena_bytes();
  entry->ring_bytes = ring_bytes();
  entry->ring_bytes_out = counters_.bytes_written;
  entry->ring_bytes_in = counters_.bytes_read;
  // relaxed: figures by themselves, of which the peer may make nonsense.
  const auto fill = [this](const SharedU64& head, const SharedU64& tail) -> uint64_t {
    const uint64_t end = tail.load(std::memory_order_relaxed);
    const uint64_t bytes = head.load(std::memory_order_relaxed) - end;
    return bytes <= ring_bytes() ? bytes : 0;
  };
  entry->ring_fill_out = fill(*my_look_.head, *peer_look_.tail);
  entry->ring_fill_in = fill(*peer_look_.head, *my_look_.tail);
  entry->full_waits = counters_.full_waits;
  entry->wakes_sent = counters_.wakes;
  entry->wakes_received = counters_.woken;
  if (pool_ != nullptr) {
    const BlockPool::Usage usage = pool_->usage();
    entry->payload_bytes = pool_->area_bytes();
    entry->block_bytes_out = usage.lent_bytes;
    entry->blocks_granted = usage.granted_bytes;
    entry->blocks_in_use = usage.used_bytes;
    entry->loans_out = usage.loans;
  }
  if (borrower_ != nullptr) entry->block_bytes_in = borrower_->borrowed_bytes();
}

void Link::Close() {
  // In a forked child, that would end the parent's connection.
  if (socket_ && !memory_->arena.IsInherited()) ::shutdown(socket_.get(), SHUT_RDWR);
  if (liveness_ != nullptr) liveness_->Close();
}

}  // namespace grpc_cxl::internal
