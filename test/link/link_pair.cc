// SPDX-License-Identifier: Apache-2.0
#include "test/link/link_pair.h"

#include <fcntl.h>

#include <utility>

#include "absl/log/check.h"
#include "absl/strings/str_cat.h"
#include "test/coherence/test_view.h"
#include "test/support/socket_pair.h"

namespace grpc_cxl::internal {
namespace {

Arena MakeArena(size_t bytes) {
  absl::StatusOr<Arena> arena = Arena::Create(bytes, {});
  CHECK_OK(arena);
  return *std::move(arena);
}

Arena Attach(const Arena& other) {
  UniqueFd copy(fcntl(other.fd(), F_DUPFD_CLOEXEC, 0));
  PCHECK(copy);
  absl::StatusOr<Arena> arena = Arena::Attach(std::move(copy), other.size(), other.sealed(), true);
  CHECK_OK(arena);
  return *std::move(arena);
}

class Flags final : public Liveness {
 public:
  Flags(SharedU32* mine, const SharedU32* peer) : mine_(mine), peer_(peer) {}
  bool PeerGone() override { return *peer_ != 0; }
  void Close() override { *mine_ = 1; }

 private:
  SharedU32* const mine_;
  const SharedU32* const peer_;
};

}  // namespace

LinkPair::LinkPair(size_t ring_bytes, size_t payload_bytes, bool far)
    : sizes{.ring_bytes = ring_bytes, .payload_bytes = payload_bytes},
      memory(MakeArena(ArenaBytes(sizes))),
      far_(far),
      coherent_(!far && TestMemoryModel().coherence == Coherence::kCoherent),
      gone_(MakeArena(2 * sizeof(SharedU32))) {
  Reconnect();
}

void LinkPair::Reconnect() {
  SocketPair sockets;
  server = Make(Link::Side::kServer, far_ ? UniqueFd() : std::move(sockets.ours));
  client = Make(Link::Side::kClient, far_ ? UniqueFd() : std::move(sockets.theirs));
}

std::unique_ptr<Link> LinkPair::Make(Link::Side side, UniqueFd socket) {
  LinkOptions options{.memory = TestMemoryModel()};
  if (far_) {
    const bool is_client = side == Link::Side::kClient;
    options = {.memory = {.coherence = Coherence::kFlush, .private_copy = true},
               .polls = true,
               .liveness = std::make_unique<Flags>(gone() + is_client, gone() + !is_client)};
  }
  absl::StatusOr<std::unique_ptr<Link>> link =
      Link::Create(side, Attach(memory), std::move(socket), sizes, std::move(options));
  CHECK_OK(link);
  return *std::move(link);
}

void LinkPair::MoveTo(uint64_t position) {
  server.reset();
  client.reset();
  for (const LinkLookWords<SharedU64>& words : {server_look(), client_look()}) {
    *words.head = position;
    *words.tail = position;
  }
  Reconnect();
}

std::string LinkPair::State() const {
  std::string state;
  for (LinkSideWords* words : {&server_words(), &client_words()}) {
    const LinkLookWords<SharedU64> look = LookWords(words, coherent_);
    absl::StrAppend(&state, words == &server_words() ? " server:" : " client:", " head ",
                    look.head->load(), " want_space ", words->tx.want_space.load(), " tail ",
                    look.tail->load(), " epoch ", words->doorbell.epoch.load(), ";");
  }
  return state;
}

}  // namespace grpc_cxl::internal
