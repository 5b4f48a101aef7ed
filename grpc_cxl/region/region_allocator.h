// SPDX-License-Identifier: Apache-2.0
#ifndef GRPC_CXL_REGION_REGION_ALLOCATOR_H_
#define GRPC_CXL_REGION_REGION_ALLOCATOR_H_

#include <cstddef>
#include <cstdint>

#include "absl/status/statusor.h"
#include "grpc_cxl/region/region.h"
#include "grpc_cxl/region/region_entries.h"

namespace grpc_cxl::internal {

// The memory of this host. An answer in use has the part that it names; the rest is free. There is
// no other record, which a death could leave half done.

// Makes `record` an answer of state kReserved with at least `bytes` of memory, in whole granules,
// and returns its index. The lowest free part that is large enough is taken.
//
// RESOURCE_EXHAUSTED when there is none, or no free entry, with the memory in use; DATA_LOSS when
// the directory makes no sense.
absl::StatusOr<uint32_t> ReserveMemory(const Region& region, size_t bytes, AnswerRecord& record)
    ABSL_EXCLUSIVE_LOCKS_REQUIRED(region.mutex());

// The index of a free entry in this host's table; the table's length when there is none.
uint32_t FindFreeRequest(const Region& region) ABSL_EXCLUSIVE_LOCKS_REQUIRED(region.mutex());
uint32_t FindFreeName(const Region& region) ABSL_EXCLUSIVE_LOCKS_REQUIRED(region.mutex());
uint32_t FindFreeAnswer(const Region& region) ABSL_EXCLUSIVE_LOCKS_REQUIRED(region.mutex());

}  // namespace grpc_cxl::internal

#endif  // GRPC_CXL_REGION_REGION_ALLOCATOR_H_
