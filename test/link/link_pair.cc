#include "test/link/link_pair.h"

#include <fcntl.h>
#include <sys/socket.h>

#include <utility>

#include "absl/log/check.h"
#include "absl/strings/str_cat.h"
#include "test/coherence/test_view.h"

namespace grpc_cxl::internal {
namespace {

Arena Make(size_t bytes) {
  absl::StatusOr<Arena> arena = Arena::Create(bytes, {});
  CHECK_OK(arena);
  return *std::move(arena);
}

Arena Attach(const Arena& other) {
  UniqueFd copy(fcntl(other.fd(), F_DUPFD_CLOEXEC, 0));
  PCHECK(copy);
  absl::StatusOr<Arena> arena = Arena::Attach(std::move(copy), other.size(), other.sealed());
  CHECK_OK(arena);
  return *std::move(arena);
}

}  // namespace

LinkPair::LinkPair(size_t ring_bytes, size_t payload_bytes)
    : sizes{.ring_bytes = ring_bytes, .payload_bytes = payload_bytes},
      memory(Make(ArenaBytes(sizes))) {
  Reconnect();
}

void LinkPair::Reconnect() {
  int ends[2];
  PCHECK(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, ends) == 0);
  absl::StatusOr<std::unique_ptr<Link>> made = Link::Create(
      Link::Side::kServer, Attach(memory), UniqueFd(ends[0]), sizes, {.memory = TestMemoryModel()});
  CHECK_OK(made);
  server = *std::move(made);
  made = Link::Create(Link::Side::kClient, Attach(memory), UniqueFd(ends[1]), sizes,
                      {.memory = TestMemoryModel()});
  CHECK_OK(made);
  client = *std::move(made);
}

std::string LinkPair::State() const {
  std::string state;
  for (const LinkSideWords* words : {&server_words(), &client_words()}) {
    absl::StrAppend(&state, words == &server_words() ? " server:" : " client:", " head ",
                    words->tx.head.load(), " want_space ", words->tx.want_space.load(), " tail ",
                    words->rx.tail.load(), " epoch ", words->doorbell.epoch.load(), ";");
  }
  return state;
}

}  // namespace grpc_cxl::internal
