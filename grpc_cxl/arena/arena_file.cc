// SPDX-License-Identifier: Apache-2.0
#include "grpc_cxl/arena/arena_file.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#include <algorithm>
#include <limits>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "grpc_cxl/arena/available_memory.h"
#include "grpc_cxl/arena/memory_gate.h"
#include "grpc_cxl/base/errno_status.h"

// Newer than some systems' headers.
#ifndef MFD_NOEXEC_SEAL
#define MFD_NOEXEC_SEAL 0x0008U
#endif
#ifndef MFD_HUGE_2MB
#define MFD_HUGE_2MB (21U << 26)
#endif

namespace grpc_cxl::internal {
namespace {

constexpr size_t kHugePageBytes = size_t{2} << 20;
constexpr int kSeals = F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL;

absl::StatusOr<UniqueFd> OpenMemfd(bool huge, const std::string& label) {
  const std::string name = absl::StrCat("grpc_cxl", label.empty() ? "" : ":", label);
  const unsigned flags = MFD_CLOEXEC | MFD_ALLOW_SEALING | (huge ? MFD_HUGETLB | MFD_HUGE_2MB : 0);
  UniqueFd fd(memfd_create(name.c_str(), flags | MFD_NOEXEC_SEAL));
  if (!fd && errno == EINVAL) fd = UniqueFd(memfd_create(name.c_str(), flags));  // before 6.3
  if (fd) return fd;
  return ErrnoStatus(errno, huge ? "cannot make an arena of 2 MiB pages (memfd_create)"
                                 : "cannot make an arena (memfd_create)");
}

absl::StatusOr<UniqueFd> OpenIn(const std::string& directory) {
  if (directory.empty()) {
    return absl::InvalidArgumentError(
        "an arena in a directory needs the directory's name (ArenaBacking::directory)");
  }
  UniqueFd fd(open(directory.c_str(), O_TMPFILE | O_RDWR | O_CLOEXEC | O_EXCL, 0600));
  if (!fd && (errno == EOPNOTSUPP || errno == EISDIR)) {  // a file system without O_TMPFILE
    std::string path = absl::StrCat(directory, "/.grpc_cxl-XXXXXX");
    fd = UniqueFd(mkostemp(path.data(), O_CLOEXEC));
    if (fd) unlink(path.c_str());
  }
  if (fd) return fd;
  return ErrnoStatus(errno,
                     absl::StrCat("cannot make an arena in \"", directory,
                                  "\", which must be a directory that this process may write to"));
}

// What to do when the memory cannot be had.
std::string Remedy(const ArenaBacking& backing) {
  switch (backing.kind) {
    case ArenaBacking::Kind::kMemfd:
      return "free memory or raise its limit";
    case ArenaBacking::Kind::kMemfdHuge:
      return "reserve more 2 MiB pages (sysctl vm.nr_hugepages) or use another backing";
    case ArenaBacking::Kind::kDirectory:
      return absl::StrCat("make space in ", backing.directory);
  }
  return "";
}

// Gives the file its size and, with kAll, takes the memory now, so that no access can find it
// missing later.
absl::Status Reserve(int fd, size_t size, const ArenaBacking& backing, Reservation reservation) {
  const std::string what = absl::StrCat("cannot reserve ", size, " bytes for an arena");
  // Growing a file past this limit would raise SIGXFSZ, which ends the process.
  rlimit limit;
  if (getrlimit(RLIMIT_FSIZE, &limit) == 0 && size > limit.rlim_cur) {
    return absl::ResourceExhaustedError(
        absl::StrCat(what, ": files are limited to ", limit.rlim_cur, " bytes (raise ulimit -f)"));
  }
  // A memfd has no limit of its own: without this look the kernel would rather kill a
  // process than refuse.
  if (backing.kind == ArenaBacking::Kind::kMemfd && reservation == Reservation::kAll) {
    const int64_t available = AvailableMemory();
    if (static_cast<int64_t>(size) > available - MemoryGate::kSpareBytes) {
      return absl::ResourceExhaustedError(
          absl::StrCat(what, ": only ", available, " bytes of memory are available, of which ",
                       MemoryGate::kSpareBytes, " stay free; ", Remedy(backing)));
    }
  }
  if (ftruncate(fd, size) != 0) {
    return absl::ResourceExhaustedError(
        absl::StrCat(what, ": ", absl::ErrnoToStatus(errno, Remedy(backing)).message()));
  }
  if (reservation == Reservation::kOnUse) return absl::OkStatus();
  // In pieces, because a signal interrupts fallocate, and memfd then undoes what it did:
  // under a profiler's timer one large piece might never come to its end.
  constexpr size_t kPiece = size_t{16} << 20;
  for (size_t done = 0; done < size;) {
    const size_t piece = std::min(kPiece, size - done);
    if (fallocate(fd, 0, done, piece) == 0) {
      done += piece;
    } else if (errno == EOPNOTSUPP) {
      return absl::InvalidArgumentError(
          absl::StrCat(what, ": the file system of ", backing.directory,
                       " cannot reserve space (fallocate); use one that can, such as tmpfs"));
    } else if (errno != EINTR) {
      return absl::ResourceExhaustedError(
          absl::StrCat(what, ": ", absl::ErrnoToStatus(errno, Remedy(backing)).message()));
    }
  }
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<ArenaFile> MakeArenaFile(size_t bytes, const ArenaBacking& backing,
                                        Reservation reservation, const std::string& label) {
  const bool huge = backing.kind == ArenaBacking::Kind::kMemfdHuge;
  const bool sealed = backing.kind != ArenaBacking::Kind::kDirectory;
  const size_t page = huge ? kHugePageBytes : static_cast<size_t>(sysconf(_SC_PAGESIZE));
  if (bytes == 0 || bytes > static_cast<size_t>(std::numeric_limits<off_t>::max()) - page) {
    return absl::InvalidArgumentError(absl::StrCat("an arena cannot have ", bytes, " bytes"));
  }
  const size_t size = (bytes + page - 1) / page * page;
  absl::StatusOr<UniqueFd> fd = sealed ? OpenMemfd(huge, label) : OpenIn(backing.directory);
  if (!fd.ok()) return fd.status();
  if (absl::Status status = Reserve(fd->get(), size, backing, reservation); !status.ok()) {
    return status;
  }
  if (sealed && fcntl(fd->get(), F_ADD_SEALS, kSeals) != 0) {
    return absl::ErrnoToStatus(errno, "cannot seal an arena (F_ADD_SEALS)");
  }
  return ArenaFile{*std::move(fd), size, sealed};
}

absl::StatusOr<Reservation> CheckArenaFile(int fd, size_t bytes, bool sealed, bool trust_peer) {
  if (!trust_peer && !sealed) {
    return absl::FailedPreconditionError(
        "the peer's arena is a file that the peer could shorten, to crash this process; use "
        "ArenaBacking::Kind::kMemfd, or name the peer's uid in trusted_uids");
  }
  // The seals first: without them the size may change after we have looked, and only memory has
  // them, whereas questions about another file may wait for a file server of the peer's.
  if (sealed) {
    const int seals = fcntl(fd, F_GET_SEALS);
    if (seals == -1 || (seals & F_SEAL_SHRINK) == 0) {
      return absl::FailedPreconditionError(
          "the peer's arena is not sealed, so the peer could shorten it and crash this process");
    }
  }
  struct statfs system;
  // Another file's file server may be the peer's: not asked unless trusted.
  const bool memory =
      (sealed || trust_peer) && fstatfs(fd, &system) == 0 && system.f_type == TMPFS_MAGIC && sealed;
  if (!trust_peer && !memory) {
    return absl::FailedPreconditionError(
        "the peer's arena is no memfd of ordinary pages; use ArenaBacking::Kind::kMemfd, or name "
        "the peer's uid in trusted_uids");
  }
  struct stat file;
  if (fstat(fd, &file) != 0 || !S_ISREG(file.st_mode)) {
    return absl::FailedPreconditionError("the peer's arena is not a regular file");
  }
  if (bytes == 0 || file.st_size != static_cast<off_t>(bytes)) {
    return absl::FailedPreconditionError(absl::StrCat(
        "the peer's arena has ", file.st_size, " bytes, but ", bytes, " bytes were announced"));
  }
  constexpr int64_t kBlock = 512;  // the unit of st_blocks, whatever st_blksize says
  if (file.st_blocks * kBlock >= file.st_size) return Reservation::kAll;
  if (memory) return Reservation::kOnUse;
  return absl::FailedPreconditionError(absl::StrCat("only ", file.st_blocks * kBlock, " of the ",
                                                    bytes,
                                                    " bytes of the peer's arena are reserved"));
}

}  // namespace grpc_cxl::internal
