// SPDX-License-Identifier: Apache-2.0
#ifndef GRPC_CXL_COHERENCE_MEMORY_MODEL_H_
#define GRPC_CXL_COHERENCE_MEMORY_MODEL_H_

#include <cstdint>
#include <optional>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "grpc_cxl/memory_distance.h"

namespace grpc_cxl::internal {

// How a process gets at the arena. A plain value.
struct MemoryModel {
  Coherence coherence = Coherence::kCoherent;
  MemoryDistance distance{};
  // For tests, with kFlush: works on a PrivateCopy of the arena.
  bool private_copy = false;
  // Whose caches a PrivateCopy simulates: all views of one file on one machine share them, and they
  // stay when the views go. Empty: the view is a machine of its own. A region fills in its host.
  std::optional<uint32_t> machine{};

  friend bool operator==(const MemoryModel&, const MemoryModel&) = default;
};

// "local", "expander", "switch" or "pool": memory of this host; behind a CXL link; behind a
// link and a switch; in a pool of several hosts. 0, 250, 400 and 800 ns for a load and for a
// store, and for the last three 25 GB/s: RPCool measured 253 ns on an expander, others 170 to
// 400 behind a switch, cMPI 790 in a pool; eight lanes of PCIe 5.0 carry 31.5 GB/s, of which
// a flit leaves 64 of 68 bytes, and headers take some more. "fast_expander" and "slow_expander"
// are 140 and 410 ns, the nearest and the furthest that Liu et al. measured (Melody, ASPLOS 2025,
// doi 10.1145/3676641.3715987).
//
// A snoop takes 300 ns in the switch's memory and 700 in the pool: it crosses the links to the
// other host and back as a load crosses ours, without the 100 ns or so of the memory itself. That
// is a guess, since no device can do it yet (HotOS 2025, arXiv 2503.23611). An expander has one
// host, whose own caches see each other.
//
// Tails are the device's, and some have long ones (Liu et al.). "tailed_expander" is an example,
// not a device: an expander whose slowest access of a thousand takes 1 us more. The others have
// none.
//
// INVALID_ARGUMENT for other names.
absl::StatusOr<MemoryDistance> DistancePreset(absl::string_view name);

// "load_ns=400,store_ns=400,gbps=25,lines_in_flight=48,snoop_ns=300,tail_ns=1000", each of them or
// not; a field that `text` does not name stays as in `distance`. INVALID_ARGUMENT with what is
// wrong.
absl::StatusOr<MemoryDistance> ParseDistance(absl::string_view text, MemoryDistance distance = {});

// OK, or INVALID_ARGUMENT with the limits.
absl::Status Validate(const MemoryDistance& distance);

// How a process gets at memory of this kind. `check_flushes` counts with kFlush only.
// UNIMPLEMENTED for kFlush on a processor without the instructions for it, FAILED_PRECONDITION for
// `check_flushes` without a PrivateCopy::Factory.
absl::StatusOr<MemoryModel> MakeMemoryModel(Coherence coherence, const MemoryDistance& distance,
                                            bool check_flushes);

}  // namespace grpc_cxl::internal

#endif  // GRPC_CXL_COHERENCE_MEMORY_MODEL_H_
