#ifndef GRPC_CXL_COHERENCE_MEMORY_MODEL_H_
#define GRPC_CXL_COHERENCE_MEMORY_MODEL_H_

#include <cstdint>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace grpc_cxl {

// Whether the caches of the two ends see each other's stores.
enum class Coherence : uint32_t {
  kCoherent = 0,  // they do: one host, or hosts whose memory pool invalidates caches (CXL 3)
  kFlush = 1,     // they do not: whoever writes writes the lines back, whoever reads drops its
                  // own first. x86-64 only. Nobody can be woken, so the ends poll
};

// How much further away than local memory the arena is. All zero: not at all. The difference is
// emulated by waiting; what is charged when is in far_memory.h.
struct MemoryDistance {
  uint32_t load_ns = 0;   // of a load that must go there, at most 1 ms
  uint32_t store_ns = 0;  // of a store that must be there before the next step, at most 1 ms
  double gbps = 0;        // GB/s of bytes beyond the first line; 0: as fast as local memory

  bool none() const { return load_ns == 0 && store_ns == 0 && gbps == 0; }
  friend bool operator==(const MemoryDistance&, const MemoryDistance&) = default;
};

// How a process gets at the arena. A plain value.
struct MemoryModel {
  Coherence coherence = Coherence::kCoherent;
  MemoryDistance distance{};
  // For tests, with kFlush: works on a private copy of the arena (see Checker).
  bool private_copy = false;

  friend bool operator==(const MemoryModel&, const MemoryModel&) = default;
};

// "local", "expander", "switch" or "pool": memory of this host; behind a CXL link; behind a
// link and a switch; in a pool of several hosts. 0, 250, 400 and 800 ns for a load and for a
// store, and for the last three 25 GB/s: RPCool measured 253 ns on an expander, others 170 to
// 400 behind a switch, cMPI 790 in a pool; eight lanes of PCIe 5.0 carry 31.5 GB/s, of which
// a flit leaves 64 of 68 bytes, and headers take some more. INVALID_ARGUMENT for other names.
absl::StatusOr<MemoryDistance> DistancePreset(absl::string_view name);

// "load_ns=400,store_ns=400,gbps=25", each of them or not. INVALID_ARGUMENT with what is wrong.
absl::StatusOr<MemoryDistance> ParseDistance(absl::string_view text);

// OK, or INVALID_ARGUMENT with the limits.
absl::Status Validate(const MemoryDistance& distance);

// `coherence`, unless GRPC_CXL_COHERENCE=coherent|flush says otherwise; for the end that decides.
// INVALID_ARGUMENT when the variable is neither.
absl::StatusOr<Coherence> CoherenceFromEnvironment(Coherence coherence);

// `coherence` as decided, and `distance`, unless the environment says otherwise:
//   GRPC_CXL_PRESET=local|expander|switch|pool
//   GRPC_CXL_MEMORY=load_ns=..,store_ns=..,gbps=..   (each replaces what the preset says)
//   GRPC_CXL_CHECK_FLUSHES=1                         (tests; see Checker)
// INVALID_ARGUMENT when a variable is none of these, UNIMPLEMENTED for kFlush on a processor
// that cannot.
absl::StatusOr<MemoryModel> MemoryModelFromEnvironment(Coherence coherence,
                                                       const MemoryDistance& distance);

}  // namespace grpc_cxl

#endif  // GRPC_CXL_COHERENCE_MEMORY_MODEL_H_
