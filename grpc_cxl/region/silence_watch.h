// SPDX-License-Identifier: Apache-2.0
#ifndef GRPC_CXL_REGION_SILENCE_WATCH_H_
#define GRPC_CXL_REGION_SILENCE_WATCH_H_

#include <array>
#include <cstdint>

#include "absl/time/time.h"
#include "grpc_cxl/base/steady_clock.h"
#include "grpc_cxl/region/region_layout.h"

namespace grpc_cxl::internal {

// Watches the beats of processes of this host whose locks are free. That alone does not mean that
// they are dead: they may hold them on another node of the device, or on another machine that takes
// itself for this host.
//
// Not thread-safe.
class SilenceWatch {
 public:
  // Whether the process with that entry has been seen for `patience` with the same beat.
  bool IsSilent(uint32_t index, uint64_t incarnation, uint64_t beat, absl::Duration patience) {
    Seen& seen = seen_[index];
    const absl::Time now = absl::FromUnixNanos(SteadyNs());
    if (!seen.watched || seen.incarnation != incarnation || seen.beat != beat) {
      seen = {true, incarnation, beat, now};
    }
    return now - seen.since > patience;
  }
  // Another has watched it for long enough.
  void Believe(uint32_t index, uint64_t incarnation, uint64_t beat) {
    seen_[index] = {true, incarnation, beat, absl::InfinitePast()};
  }
  void Forget(uint32_t index) { seen_[index] = {}; }

 private:
  struct Seen {
    bool watched = false;
    uint64_t incarnation = 0;
    uint64_t beat = 0;
    absl::Time since;
  };
  std::array<Seen, kHostProcesses> seen_;
};

}  // namespace grpc_cxl::internal

#endif  // GRPC_CXL_REGION_SILENCE_WATCH_H_
