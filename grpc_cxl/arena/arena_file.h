// SPDX-License-Identifier: Apache-2.0
#ifndef GRPC_CXL_ARENA_ARENA_FILE_H_
#define GRPC_CXL_ARENA_ARENA_FILE_H_

#include <cstddef>
#include <string>

#include "absl/status/statusor.h"
#include "grpc_cxl/arena/arena_pages.h"
#include "grpc_cxl/arena_backing.h"
#include "grpc_cxl/base/unique_fd.h"

namespace grpc_cxl::internal {

// The file under an arena, before it is mapped. Internal to this room.
struct ArenaFile {
  UniqueFd fd;
  size_t size;  // whole pages
  bool sealed;
};

// A nameless, close-on-exec file of at least `bytes` zero bytes, with kAll all of them reserved,
// and sealed where the backing can be. `label` and errors as Arena::Create().
absl::StatusOr<ArenaFile> MakeArenaFile(size_t bytes, const ArenaBacking& backing,
                                        Reservation reservation, const std::string& label);

// How the pages of `fd`, a file as Arena::Attach() demands, are reserved. Errors as there.
absl::StatusOr<Reservation> CheckArenaFile(int fd, size_t bytes, bool sealed, bool trust_peer);

}  // namespace grpc_cxl::internal

#endif  // GRPC_CXL_ARENA_ARENA_FILE_H_
