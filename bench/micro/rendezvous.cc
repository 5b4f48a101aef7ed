// SPDX-License-Identifier: Apache-2.0

// The time from Dial() until both of two processes have mapped the arena, beside a bare connection
// over a unix socket, and beside creating and mapping memory of that size.

#include <benchmark/benchmark.h>
#include <poll.h>

#include <string>
#include <utility>

#include "absl/log/check.h"
#include "bench/harness/temporary_directory.h"
#include "bench/micro/limits.h"
#include "bench/micro/peer_process.h"
#include "grpc_cxl/arena/arena.h"
#include "grpc_cxl/rendezvous/dial.h"
#include "grpc_cxl/rendezvous/handshake.h"
#include "grpc_cxl/rendezvous/name_listener.h"
#include "grpc_cxl/rendezvous/rendezvous_directory.h"
#include "grpc_cxl/rendezvous/service_name.h"

namespace grpc_cxl::bench {
namespace {

void WaitFor(int fd) {
  pollfd readable{fd, POLLIN, 0};
  PCHECK(poll(&readable, 1, 10'000) == 1);
}

// Repeats `step` until it need not wait for the peer, and returns its result.
template <typename Step>
auto Finish(int socket, Step step) {
  for (;;) {
    auto result = step();
    CHECK_OK(result.status());
    if (result->has_value()) return **std::move(result);
    WaitFor(socket);
  }
}

void Serve(internal::NameListener& listener, size_t arena_bytes) {
  for (;;) {
    WaitFor(listener.fd());
    auto socket = listener.Accept();
    CHECK_OK(socket.status());
    if (!*socket) continue;
    Finish(socket->get(),
           [&] { return internal::ReceiveHello(socket->get(), internal::TrustedUsers()); });
    const auto arena = internal::Arena::Create(arena_bytes, {});
    CHECK_OK(arena.status());
    internal::ArenaOffer offer;
    offer.arena_bytes = arena->size();
    CHECK_OK(internal::SendWelcome(socket->get(), offer, arena->fd()));
    WaitFor(socket->get());  // returns when the client closes its end
  }
}

void Connect(benchmark::State& state) {
  const auto directory = TemporaryDirectory::Create();
  CHECK_OK(directory.status());
  const auto name = internal::ServiceName::Parse("bench");
  CHECK_OK(name.status());
  const auto at = internal::RendezvousDirectory::Open({.configured = directory->path()});
  CHECK_OK(at.status());
  auto listener = internal::NameListener::Listen(*at, *name);
  CHECK_OK(listener.status());
  const PeerProcess server([&] { Serve(*listener, state.range(0)); });
  for (auto _ : state) {
    const auto socket = internal::Dial(*at, *name);
    CHECK_OK(socket.status());
    CHECK_OK(internal::SendHello(socket->get(), internal::kNoFeatures));
    internal::Welcome welcome = Finish(socket->get(), [&] {
      return internal::ReceiveWelcome(socket->get(), internal::TrustedUsers());
    });
    const auto arena = internal::Arena::Attach(std::move(welcome.arena_fd),
                                               welcome.offer.arena_bytes, true, false);
    CHECK_OK(arena.status());
  }
}

void MakeArena(benchmark::State& state) {
  for (auto _ : state) {
    auto arena = internal::Arena::Create(state.range(0), {});
    CHECK_OK(arena.status());
  }
}

constexpr int64_t kSmall = 64 << 10, kDefault = 9 << 20;

BENCHMARK(Connect)->Name("rendezvous/connect")->Arg(kSmall)->Arg(kDefault)->UseRealTime();
BENCHMARK(LimitUnixConnect)->Name("rendezvous/limit/unix_connect")->UseRealTime();
BENCHMARK(MakeArena)->Name("rendezvous/part/make_arena")->Arg(kSmall)->Arg(kDefault);

}  // namespace
}  // namespace grpc_cxl::bench
