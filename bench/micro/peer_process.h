// SPDX-License-Identifier: Apache-2.0
#ifndef GRPC_CXL_BENCH_MICRO_PEER_PROCESS_H_
#define GRPC_CXL_BENCH_MICRO_PEER_PROCESS_H_

#include <sys/socket.h>
#include <sys/types.h>

#include <functional>
#include <new>

#include "absl/log/check.h"
#include "grpc_cxl/arena/arena.h"
#include "grpc_cxl/base/unique_fd.h"

namespace grpc_cxl::bench {

// The other process of a benchmark: a fork of this one that runs `body` until the destructor kills
// it. Create it before there are threads.
class PeerProcess {
 public:
  explicit PeerProcess(const std::function<void()>& body);
  ~PeerProcess();

  PeerProcess(const PeerProcess&) = delete;
  PeerProcess& operator=(const PeerProcess&) = delete;

 private:
  pid_t pid_;
};

// A zeroed T in memory that is shared with every PeerProcess created later.
template <typename T>
class Shared {
 public:
  T* operator->() const { return get(); }
  T* get() const { return reinterpret_cast<T*>(arena_.data()); }

 private:
  static internal::Arena Make() {
    absl::StatusOr<internal::Arena> arena = internal::Arena::Create(sizeof(T), {});
    CHECK_OK(arena);
    return *std::move(arena);
  }
  internal::Arena arena_ = Make();
};

// Two connected, blocking sockets of the same type as those of connections.
struct Sockets {
  Sockets() {
    int ends[2];
    PCHECK(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) == 0);
    ours = internal::UniqueFd(ends[0]);
    peers = internal::UniqueFd(ends[1]);
  }
  internal::UniqueFd ours, peers;
};

}  // namespace grpc_cxl::bench

#endif  // GRPC_CXL_BENCH_MICRO_PEER_PROCESS_H_
