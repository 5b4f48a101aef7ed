#ifndef GRPC_CXL_REGION_REGION_ALLOCATOR_H_
#define GRPC_CXL_REGION_REGION_ALLOCATOR_H_

#include <cstddef>
#include <cstdint>

#include "absl/status/statusor.h"
#include "grpc_cxl/region/region.h"
#include "grpc_cxl/region/region_entries.h"

namespace grpc_cxl::internal {

// The memory of our own host: an answer in use is the lease of the part that it names, and what
// no answer names is free. There is no other record that a death could leave half done.

// Reserves `bytes` (rounded up to granules, at least 1) for `record`, which becomes an answer
// of state kReserved, and returns its index. The lowest part that is large enough is taken.
//
// RESOURCE_EXHAUSTED when there is none, or no free entry, with who has how much of it;
// DATA_LOSS when the directory makes no sense.
absl::StatusOr<uint32_t> ReserveMemory(const Region& region, size_t bytes, AnswerRecord& record)
    ABSL_EXCLUSIVE_LOCKS_REQUIRED(region.mutex());

// A free entry of a table of ours, all of which are kHost... long; the table's length when there
// is none.
uint32_t FindFreeRequest(const Region& region) ABSL_EXCLUSIVE_LOCKS_REQUIRED(region.mutex());
uint32_t FindFreeName(const Region& region) ABSL_EXCLUSIVE_LOCKS_REQUIRED(region.mutex());
uint32_t FindFreeAnswer(const Region& region) ABSL_EXCLUSIVE_LOCKS_REQUIRED(region.mutex());

}  // namespace grpc_cxl::internal

#endif  // GRPC_CXL_REGION_REGION_ALLOCATOR_H_
