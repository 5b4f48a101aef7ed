// SPDX-License-Identifier: Apache-2.0
#ifndef GRPC_CXL_ARENA_POPULATE_H_
#define GRPC_CXL_ARENA_POPULATE_H_

#include <cstddef>

namespace grpc_cxl::internal {

// Takes the memory of all pages of a mapping, as whole pages, and puts them into the page table
// (MADV_POPULATE_WRITE). 0 or an errno; EINVAL on kernels before 5.14, which cannot.
int Populate(void* begin, size_t bytes);

// Whether this kernel can.
bool CanPopulate();

}  // namespace grpc_cxl::internal

#endif  // GRPC_CXL_ARENA_POPULATE_H_
