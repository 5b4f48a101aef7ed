// SPDX-License-Identifier: Apache-2.0
#include "bench/micro/limits.h"

#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <atomic>
#include <cstring>
#include <string>
#include <vector>

#include "absl/log/check.h"
#include "absl/strings/str_cat.h"
#include "bench/micro/peer_process.h"
#include "grpc_cxl/base/shared_word.h"
#include "grpc_cxl/base/unique_fd.h"
#include "grpc_cxl/doorbell/futex.h"

namespace grpc_cxl::bench {
namespace {

// Both count the turns.
struct Words {
  alignas(internal::kWriterAlignment) internal::SharedU32 there;
  alignas(internal::kWriterAlignment) internal::SharedU32 back;
};

void SpinUntil(const internal::SharedU32& word, uint32_t value) {
  while (word.load(std::memory_order_acquire) != value) {
  }
}

void SleepUntil(const internal::SharedU32& word, uint32_t value) {
  constexpr int64_t kSecond = 1'000'000'000;
  for (uint32_t seen; (seen = word.load(std::memory_order_acquire)) != value;) {
    internal::FutexWait(word, seen, kSecond);
  }
}

void SendByte(int socket) {
  const char byte = 0;
  PCHECK(send(socket, &byte, 1, MSG_NOSIGNAL) == 1);
}

// False at end of file.
bool ReceiveByte(int socket) {
  char byte;
  return recv(socket, &byte, 1, 0) == 1;
}

}  // namespace

void LimitMemcpy(benchmark::State& state) {
  const size_t bytes = state.range(0);
  std::vector<char> from(bytes, 'x'), to(bytes, 'y');
  for (auto _ : state) {
    for (int i = 0; i < state.range(1); ++i) {
      std::memcpy(to.data(), from.data(), bytes);
      asm volatile("" : : "r"(to.data()), "r"(from.data()) : "memory");  // keeps the copy
    }
  }
  state.SetBytesProcessed(state.iterations() * bytes);
}

void LimitSharedWord(benchmark::State& state) {
  const Shared<Words> words;
  const PeerProcess peer([&] {
    for (uint32_t turn = 1;; ++turn) {
      SpinUntil(words->there, turn);
      words->back.store(turn, std::memory_order_release);  // matched in SpinUntil()
    }
  });
  uint32_t turn = 0;
  for (auto _ : state) {
    words->there.store(++turn, std::memory_order_release);  // matched in SpinUntil()
    SpinUntil(words->back, turn);
  }
}

void LimitFutex(benchmark::State& state) {
  const Shared<Words> words;
  const PeerProcess peer([&] {
    for (uint32_t turn = 1;; ++turn) {
      SleepUntil(words->there, turn);
      words->back.store(turn, std::memory_order_release);  // matched in SleepUntil()
      internal::FutexWake(words->back);
    }
  });
  uint32_t turn = 0;
  for (auto _ : state) {
    words->there.store(++turn, std::memory_order_release);  // matched in SleepUntil()
    internal::FutexWake(words->there);
    SleepUntil(words->back, turn);
  }
}

void LimitUnixSocket(benchmark::State& state) {
  const Sockets sockets;
  const PeerProcess peer([&] {
    while (ReceiveByte(sockets.peers.get())) SendByte(sockets.peers.get());
  });
  for (auto _ : state) {
    SendByte(sockets.ours.get());
    CHECK(ReceiveByte(sockets.ours.get()));
  }
}

void LimitUnixConnect(benchmark::State& state) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  // An abstract address leaves no file behind.
  const std::string name = absl::StrCat("grpc_cxl_limit_", getpid());
  memcpy(address.sun_path + 1, name.data(), name.size());
  const socklen_t length = offsetof(sockaddr_un, sun_path) + 1 + name.size();
  const auto make = [] {
    internal::UniqueFd made(socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0));
    PCHECK(made);
    return made;
  };
  const internal::UniqueFd listener = make();
  PCHECK(bind(listener.get(), reinterpret_cast<sockaddr*>(&address), length) == 0);
  PCHECK(listen(listener.get(), 8) == 0);
  const PeerProcess peer([&] {
    for (;;) {
      const internal::UniqueFd accepted(accept4(listener.get(), nullptr, nullptr, SOCK_CLOEXEC));
      if (!accepted) return;
      SendByte(accepted.get());
      ReceiveByte(accepted.get());  // returns when the client closes its end
    }
  });
  for (auto _ : state) {
    const internal::UniqueFd connected = make();
    PCHECK(connect(connected.get(), reinterpret_cast<sockaddr*>(&address), length) == 0);
    CHECK(ReceiveByte(connected.get()));
  }
}

}  // namespace grpc_cxl::bench
