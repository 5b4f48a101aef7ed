// SPDX-License-Identifier: Apache-2.0
#include "grpc_cxl/arena/arena_pages.h"

#include <errno.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cstdint>

#include "absl/strings/str_cat.h"
#include "grpc_cxl/arena/memory_gate.h"
#include "grpc_cxl/arena/populate.h"

namespace grpc_cxl::internal {
namespace {

uintptr_t PageSize() {
  static const uintptr_t size = sysconf(_SC_PAGESIZE);
  return size;
}

}  // namespace

absl::Status ArenaPages::Reserve(absl::Span<const char> bytes) const {
  if (!on_use() || bytes.empty()) return absl::OkStatus();
  const auto first = reinterpret_cast<uintptr_t>(bytes.data()) & -PageSize();
  const auto end = reinterpret_cast<uintptr_t>(bytes.data()) + bytes.size();
  const size_t size = (end - first + PageSize() - 1) & -PageSize();
  // The kernel would rather kill a process than refuse.
  if (absl::Status status = MemoryGate::OfProcess().Take(size); !status.ok()) return status;
  const int error = Populate(reinterpret_cast<void*>(first), size);
  if (error == 0) return absl::OkStatus();
  return absl::ResourceExhaustedError(
      absl::StrCat("cannot reserve ", size, " bytes of an arena: ",
                   absl::ErrnoToStatus(error, "free memory or raise its limit").message()));
}

void ArenaPages::GiveBack(absl::Span<char> bytes) const {
  if (!may_give_back()) return;
  const auto begin = reinterpret_cast<uintptr_t>(bytes.data());
  const uintptr_t first = (begin + PageSize() - 1) & -PageSize();
  const uintptr_t end = (begin + bytes.size()) & -PageSize();
  // A failure leaves the pages where they are.
  if (first < end) madvise(reinterpret_cast<void*>(first), end - first, MADV_REMOVE);
}

}  // namespace grpc_cxl::internal
