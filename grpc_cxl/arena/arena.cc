// SPDX-License-Identifier: Apache-2.0
#include "grpc_cxl/arena/arena.h"

#include <errno.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include <utility>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "grpc_cxl/arena/arena_file.h"
#include "grpc_cxl/arena/populate.h"

namespace grpc_cxl::internal {
namespace {

// Maps the file and, with kAll, puts all of its pages into our page table, so that no message pays
// for a page fault. Measured for 1 MiB in 4 KiB pages: 105 us now, or 240 us of faults
// (0.9 us a page) in the first messages that go round the rings. MAP_POPULATE would
// take 225 us and hide its failures.
absl::StatusOr<char*> Map(int fd, size_t size, uint64_t offset, Reservation reservation) {
  constexpr int kProtection = PROT_READ | PROT_WRITE;
  // Where the file system writes to memory itself (fs-dax), the file's metadata is safe before
  // a store is, so that a crash of the host loses no pages. All others refuse.
  void* data = mmap(nullptr, size, kProtection, MAP_SHARED_VALIDATE | MAP_SYNC, fd, offset);
  if (data == MAP_FAILED) data = mmap(nullptr, size, kProtection, MAP_SHARED, fd, offset);
  if (data == MAP_FAILED) {
    return absl::ErrnoToStatus(
        errno, absl::StrCat("cannot map an arena of ", size, " bytes (see ulimit -v)"));
  }
  madvise(data, size, MADV_DONTDUMP);  // a dump of every process on both sides would have it
  if (reservation == Reservation::kOnUse) return static_cast<char*>(data);
  const int error = Populate(data, size);
  // EINVAL: faults cost an older kernel time, not correctness.
  if (error != 0 && error != EINVAL) {
    munmap(data, size);
    return absl::ResourceExhaustedError(
        absl::StrCat("cannot bring the ", size, " bytes of an arena into memory: ",
                     absl::ErrnoToStatus(error, "populating the pages").message()));
  }
  return static_cast<char*>(data);
}

}  // namespace

Arena::Arena(UniqueFd fd, char* data, size_t size, bool sealed, Reservation reservation)
    : fd_(std::move(fd)), data_(data), size_(size), sealed_(sealed), pages_(reservation) {
  struct stat file;
  if (!fd_ || fstat(fd_.get(), &file) != 0) return;
  inode_ = file.st_ino;
  device_ = file.st_dev;
}

Arena::Arena(Arena&& other) noexcept
    : fd_(std::move(other.fd_)),
      fork_guard_(std::move(other.fork_guard_)),
      data_(std::exchange(other.data_, nullptr)),
      size_(std::exchange(other.size_, 0)),
      inode_(other.inode_),
      device_(other.device_),
      sealed_(std::exchange(other.sealed_, false)),
      pages_(other.pages_) {}

Arena& Arena::operator=(Arena&& other) noexcept {
  if (this == &other) return *this;
  Arena old(std::move(*this));  // unmaps what we had
  fd_ = std::move(other.fd_);
  fork_guard_ = std::move(other.fork_guard_);
  data_ = std::exchange(other.data_, nullptr);
  size_ = std::exchange(other.size_, 0);
  inode_ = other.inode_;
  device_ = other.device_;
  sealed_ = std::exchange(other.sealed_, false);
  pages_ = other.pages_;
  return *this;
}

Arena::~Arena() {
  fork_guard_.Release();
  if (data_ != nullptr) munmap(data_, size_);
}

bool Arena::CanReserveOnUse(const ArenaBacking& backing) {
  return backing.kind == ArenaBacking::Kind::kMemfd && CanPopulate();
}

absl::StatusOr<Arena> Arena::Create(size_t bytes, const ArenaBacking& backing,
                                    Reservation reservation, const std::string& label) {
  if (!CanReserveOnUse(backing)) reservation = Reservation::kAll;
  absl::StatusOr<ArenaFile> file = MakeArenaFile(bytes, backing, reservation, label);
  if (!file.ok()) return file.status();
  absl::StatusOr<char*> data = Map(file->fd.get(), file->size, 0, reservation);
  if (!data.ok()) return data.status();
  return Arena(std::move(file->fd), *data, file->size, file->sealed, reservation);
}

absl::StatusOr<Arena> Arena::Attach(ForeignFd fd, size_t bytes, bool sealed, bool trust_peer) {
  const absl::StatusOr<Reservation> reservation =
      CheckArenaFile(fd.get(), bytes, sealed, trust_peer);
  if (!reservation.ok()) return reservation.status();
  absl::StatusOr<char*> data = Map(fd.get(), bytes, 0, *reservation);
  if (!data.ok()) return data.status();
  return Arena(fd.Release(), *data, bytes, sealed, *reservation);
}

absl::StatusOr<Arena> Arena::AttachPart(int fd, uint64_t offset, size_t bytes) {
  absl::StatusOr<char*> data = Map(fd, bytes, offset, Reservation::kAll);
  if (!data.ok()) return data.status();
  return Arena(UniqueFd(), *data, bytes, /*sealed=*/false, Reservation::kAll);
}

}  // namespace grpc_cxl::internal
