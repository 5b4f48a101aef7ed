// SPDX-License-Identifier: Apache-2.0
#ifndef GRPC_CXL_ARENA_BACKING_H_
#define GRPC_CXL_ARENA_BACKING_H_

#include <string>

namespace grpc_cxl {

// The kind of an arena's memory. A plain value.
struct ArenaBacking {
  enum class Kind {
    kMemfd,      // anonymous memory in 4 KiB pages; sealed, so that no peer can shrink it
    kMemfdHuge,  // the same in 2 MiB pages: sizes are rounded up, and the host must have
                 // reserved pages (sysctl vm.nr_hugepages). Only for peers that are trusted
                 // with our memory: a peer that gives pages back to a pool that runs dry
                 // turns our next access into a SIGBUS, and no seal prevents that
    kDirectory,  // an unnamed file in `directory` (tmpfs, fs-dax); cannot be sealed, so
                 // only for peers that are trusted with our memory
  };
  Kind kind = Kind::kMemfd;
  std::string directory{};  // for kDirectory: must exist and be writable

  friend bool operator==(const ArenaBacking&, const ArenaBacking&) = default;
};

}  // namespace grpc_cxl

#endif  // GRPC_CXL_ARENA_BACKING_H_
