// SPDX-License-Identifier: Apache-2.0
#ifndef GRPC_CXL_ARENA_FORK_GUARD_H_
#define GRPC_CXL_ARENA_FORK_GUARD_H_

#include <sys/types.h>

#include <atomic>
#include <cstddef>

namespace grpc_cxl::internal {

// Keeps a mapping of shared memory out of the children that fork() makes: a child could change what
// parent and peer share. A child finds zeros of its own at the same addresses, so destructors that
// run there (exit() destroys static objects) crash nothing. Internal to this room.
//
// Thread-safe and lock-free: fork() may come at any time.
class ForkGuard {
 public:
  ForkGuard() = default;
  // `data` must stay mapped until Release().
  ForkGuard(char* data, size_t size);
  ForkGuard(ForkGuard&& other) noexcept;
  ForkGuard& operator=(ForkGuard&& other) noexcept;
  ~ForkGuard() { Release(); }

  void Release();

  // Whether this process is a child of the one that made the guard.
  bool IsInherited() const;

 private:
  struct Slot;
  static void ReplaceInChild();
  static const int registered_;
  static std::atomic<Slot*> slots_;

  Slot* slot_ = nullptr;
  pid_t owner_ = 0;
};

}  // namespace grpc_cxl::internal

#endif  // GRPC_CXL_ARENA_FORK_GUARD_H_
