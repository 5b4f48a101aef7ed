// SPDX-License-Identifier: Apache-2.0

// Waking a process that sleeps on its doorbell, beside a bare futex and a bare unix socket; and a
// wake-up of a process that is awake already.

#include "grpc_cxl/doorbell/doorbell.h"

#include <benchmark/benchmark.h>
#include <poll.h>

#include <atomic>

#include "absl/log/check.h"
#include "bench/micro/limits.h"
#include "bench/micro/peer_process.h"
#include "grpc_cxl/base/shared_word.h"

namespace grpc_cxl::bench {
namespace {

// The words that one side of a ping-pong writes.
struct Words {
  internal::DoorbellWords doorbell;
  alignas(internal::kWriterAlignment) internal::SharedU32 turn;
};
struct Sides {
  Words ours, peers;
};

// One side of a ping-pong.
class End {
 public:
  End(Words* mine, const Words* other, int socket)
      : mine_(mine),
        other_(other),
        sleeper_(&mine->doorbell, socket),
        waker_(&other->doorbell, &mine->doorbell, socket) {}

  void Publish(uint32_t turn) {
    mine_->turn.store(turn, std::memory_order_release);  // matched in SleepUntil()
    waker_.Wake();
  }

  void SleepUntil(uint32_t turn) {
    while (other_->turn.load(std::memory_order_acquire) != turn) {
      sleeper_.PrepareToSleep();
      if (other_->turn.load(std::memory_order_acquire) == turn) break;
      pollfd line{sleeper_.fd(), POLLIN, 0};
      PCHECK(poll(&line, 1, 10'000) == 1);
      CHECK(sleeper_.Drain() == internal::DoorbellSleeper::Line::kOpen);
    }
    sleeper_.Awake();
  }

 private:
  Words* const mine_;
  const Words* const other_;
  internal::DoorbellSleeper sleeper_;
  internal::DoorbellWaker waker_;
};

void WakeAndBeWoken(benchmark::State& state) {
  const Shared<Sides> sides;
  const Sockets sockets;
  const PeerProcess peer([&] {
    End end(&sides->peers, &sides->ours, sockets.peers.get());
    for (uint32_t turn = 1;; ++turn) {
      end.SleepUntil(turn);
      end.Publish(turn);
    }
  });
  End end(&sides->ours, &sides->peers, sockets.ours.get());
  uint32_t turn = 0;
  for (auto _ : state) {
    end.Publish(++turn);
    end.SleepUntil(turn);
  }
}

void WakeAwakePeer(benchmark::State& state) {
  const Shared<internal::DoorbellWords> awake;
  const Sockets sockets;
  internal::DoorbellWords ours{};
  internal::DoorbellWaker waker(awake.get(), &ours, sockets.ours.get());
  for (auto _ : state) CHECK(!waker.Wake());
}

BENCHMARK(WakeAndBeWoken)->Name("doorbell/ping_pong_of_sleeping_processes")->UseRealTime();
BENCHMARK(LimitFutex)->Name("doorbell/limit/futex_ping_pong")->UseRealTime();
BENCHMARK(LimitUnixSocket)->Name("doorbell/limit/unix_socket_ping_pong")->UseRealTime();
BENCHMARK(WakeAwakePeer)->Name("doorbell/wake_an_awake_process");

}  // namespace
}  // namespace grpc_cxl::bench
