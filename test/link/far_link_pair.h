#ifndef GRPC_CXL_TEST_LINK_FAR_LINK_PAIR_H_
#define GRPC_CXL_TEST_LINK_FAR_LINK_PAIR_H_

#include <sys/mman.h>

#include <atomic>
#include <cstddef>
#include <memory>
#include <utility>

#include "absl/log/check.h"
#include "grpc_cxl/arena/arena.h"
#include "grpc_cxl/link/link.h"

namespace grpc_cxl::internal {

// Two ends of a link as on two hosts: no socket, no coherence, each on a private copy of the
// arena under the checker. A forked child resets the end that is not its own.
struct FarLinkPair {
  explicit FarLinkPair(size_t ring_bytes, size_t payload_bytes = 0)
      : sizes{.ring_bytes = ring_bytes, .payload_bytes = payload_bytes},
        gone(static_cast<std::atomic<bool>*>(
            mmap(nullptr, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0))) {
    PCHECK(gone != MAP_FAILED);
    absl::StatusOr<Arena> made = Arena::Create(ArenaBytes(sizes), {});
    CHECK_OK(made);
    absl::StatusOr<Arena> attached =
        Arena::Attach(UniqueFd(dup(made->fd())), made->size(), made->sealed());
    CHECK_OK(attached);
    server = Make(Link::Side::kServer, *std::move(made));
    client = Make(Link::Side::kClient, *std::move(attached));
  }
  FarLinkPair(const FarLinkPair&) = delete;
  FarLinkPair& operator=(const FarLinkPair&) = delete;
  ~FarLinkPair() {
    server.reset();
    client.reset();
    munmap(gone, 4096);
  }

  const LinkSizes sizes;
  // [0]: the server has closed, [1]: the client. Stands for leases.
  std::atomic<bool>* const gone;
  std::unique_ptr<Link> server, client;

 private:
  class Flags final : public Liveness {
   public:
    Flags(const std::atomic<bool>* peer, std::atomic<bool>* mine) : peer_(peer), mine_(mine) {}
    bool PeerGone() override { return *peer_; }
    void Close() override { *mine_ = true; }

   private:
    const std::atomic<bool>* const peer_;
    std::atomic<bool>* const mine_;
  };

  std::unique_ptr<Link> Make(Link::Side side, Arena arena) {
    const bool is_client = side == Link::Side::kClient;
    absl::StatusOr<std::unique_ptr<Link>> link = Link::Create(
        side, std::move(arena), UniqueFd(), sizes,
        {.memory = {.coherence = Coherence::kFlush, .private_copy = true},
         .polls = true,
         .liveness = std::make_unique<Flags>(&gone[is_client ? 0 : 1], &gone[is_client ? 1 : 0])});
    CHECK_OK(link);
    return *std::move(link);
  }
};

}  // namespace grpc_cxl::internal

#endif  // GRPC_CXL_TEST_LINK_FAR_LINK_PAIR_H_
