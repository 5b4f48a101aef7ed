// SPDX-License-Identifier: Apache-2.0
#ifndef GRPC_CXL_ARENA_ARENA_H_
#define GRPC_CXL_ARENA_ARENA_H_

#include <cstddef>
#include <cstdint>
#include <string>

#include "absl/status/statusor.h"
#include "grpc_cxl/arena/arena_pages.h"
#include "grpc_cxl/arena/fork_guard.h"
#include "grpc_cxl/arena_backing.h"
#include "grpc_cxl/base/foreign_fd.h"
#include "grpc_cxl/base/unique_fd.h"

namespace grpc_cxl::internal {

// Shared memory of one connection, mapped for reading and writing: made by the server,
// passed as a file descriptor, attached by the client. A page is reserved before it is used, so no
// access can fail later (no SIGBUS): all of them when the arena is made (and mapped, so that none
// pays for a page fault), or each by its writer (ArenaPages). The kernel frees it when both
// processes have unmapped it, however they died; nothing has a name that could be left behind.
//
// Move-only; the memory is unmapped with the last owner. Thread-safe where const.
class Arena {
 public:
  // Makes an arena of at least `bytes` zero bytes (rounded up to whole pages). Backings other than
  // kMemfd, and kernels before 5.14, reserve all pages whatever `reservation` says.
  // RESOURCE_EXHAUSTED when the memory cannot be had; INVALID_ARGUMENT, NOT_FOUND,
  // PERMISSION_DENIED or FAILED_PRECONDITION when the backing cannot be used. The text says
  // what to change. `label`, at most 200 bytes, is for people who look at /proc/PID/maps: a memfd
  // is called grpc_cxl:label there. With kAll about 0.3 ms per MiB, with kOnUse 30 us.
  static absl::StatusOr<Arena> Create(size_t bytes, const ArenaBacking& backing,
                                      Reservation reservation = Reservation::kAll,
                                      const std::string& label = "");

  // Whether Create() with kOnUse reserves on use.
  static bool CanReserveOnUse(const ArenaBacking& backing);

  // Maps an arena that a peer made. `bytes` and `sealed` are what the peer announced: the file
  // must have that size and be sealed against shrinking. Only a trusted peer may announce a file
  // that is not sealed, or give huge pages: it could take either away, which ends us with a SIGBUS.
  // Such files must be reserved as a whole. FAILED_PRECONDITION when the file is not what it must
  // be, RESOURCE_EXHAUSTED when it cannot be mapped. About 100 us per MiB that is reserved as a
  // whole.
  //
  // What remains to a hostile peer: each page that it has not reserved, or has taken away again,
  // and that we touch all the same is new memory on our account, up to `bytes`.
  static absl::StatusOr<Arena> Attach(ForeignFd fd, size_t bytes, bool sealed, bool trust_peer);

  // Maps `bytes` of a region's file or device from `offset` on, both multiples of what that
  // can map (grpc_cxl/region). Not zeroed, nor checked: the room that divides the region answers
  // for it. No file comes with it. RESOURCE_EXHAUSTED or what mmap says when it cannot be mapped.
  // MAP_SYNC where the file system offers it (fs-dax): what was written back to such memory is
  // not lost with the file's metadata.
  static absl::StatusOr<Arena> AttachPart(int fd, uint64_t offset, size_t bytes);

  Arena(Arena&& other) noexcept;
  Arena& operator=(Arena&& other) noexcept;
  ~Arena();

  char* data() const { return data_; }
  size_t size() const { return size_; }
  bool sealed() const { return sealed_; }
  ArenaPages pages() const { return pages_; }
  // The file's inode, which all who have it see, also in /proc/PID/maps; 0 for a part of a region.
  uint64_t inode() const { return inode_; }
  uint64_t device() const { return device_; }  // that the inode is of

  // Keeps the memory out of the children of this process: a forked child finds zeros of its own
  // there, and IsInherited() is true in it. Crash dumps have no arena in any case.
  void KeepFromChildren() { fork_guard_ = ForkGuard(data_, size_); }
  bool IsInherited() const { return fork_guard_.IsInherited(); }

  // The file to pass to the peer. CloseFile() when that is done: the mapping stays.
  int fd() const { return fd_.get(); }
  void CloseFile() { fd_.Reset(); }

 private:
  Arena(UniqueFd fd, char* data, size_t size, bool sealed, Reservation reservation);

  UniqueFd fd_;
  ForkGuard fork_guard_;
  char* data_ = nullptr;
  size_t size_ = 0;
  uint64_t inode_ = 0;
  uint64_t device_ = 0;
  bool sealed_ = false;
  ArenaPages pages_;
};

}  // namespace grpc_cxl::internal

#endif  // GRPC_CXL_ARENA_ARENA_H_
