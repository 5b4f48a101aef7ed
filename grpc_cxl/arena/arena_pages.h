// SPDX-License-Identifier: Apache-2.0
#ifndef GRPC_CXL_ARENA_ARENA_PAGES_H_
#define GRPC_CXL_ARENA_ARENA_PAGES_H_

#include "absl/status/status.h"
#include "absl/types/span.h"

namespace grpc_cxl::internal {

// When the pages of an arena take memory.
enum class Reservation {
  kAll,    // when the arena is made
  kOnUse,  // each when its writer reserves it
};

// How the writers of an arena get their pages. With kOnUse a writer reserves pages before it stores
// anything there, so that no access fails later; at rest it may give them back. A page is on the
// account (control group) of the process that reserved it. With kAll both calls do nothing.
//
// Pages are given back only where the peer is trusted: the kernel takes the file's lock for it,
// which a peer can hold for as long as it likes, by a write() to the file from memory of its own
// file system. The thread would hang, and the process could not even be killed.
//
// A value. Thread-safe.
class ArenaPages {
 public:
  ArenaPages() = default;  // kAll
  explicit ArenaPages(Reservation reservation, bool trust_peer = false)
      : reservation_(reservation), trust_peer_(trust_peer) {}

  bool on_use() const { return reservation_ == Reservation::kOnUse; }
  bool may_give_back() const { return on_use() && trust_peer_; }

  // Reserves every page with a byte of `bytes`, and puts it into this process's page table. Pages
  // that are reserved stay as they are, others are zero. RESOURCE_EXHAUSTED when the memory cannot
  // be had. About 1 us, and 0.25 us for each new page.
  absl::Status Reserve(absl::Span<const char> bytes) const;

  // Gives every page that lies wholly in `bytes` back to the kernel. Only if may_give_back().
  void GiveBack(absl::Span<char> bytes) const;

 private:
  Reservation reservation_ = Reservation::kAll;
  bool trust_peer_ = false;
};

}  // namespace grpc_cxl::internal

#endif  // GRPC_CXL_ARENA_ARENA_PAGES_H_
