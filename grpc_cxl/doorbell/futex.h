// SPDX-License-Identifier: Apache-2.0
#ifndef GRPC_CXL_DOORBELL_FUTEX_H_
#define GRPC_CXL_DOORBELL_FUTEX_H_

#include <cstdint>

#include "grpc_cxl/base/shared_word.h"

namespace grpc_cxl::internal {

// Sleeps while `word` holds `expected`, at most `nanoseconds`. Returns early for no reason
// now and then: look at the word again. The word may lie in memory that another process
// maps and wakes from there.
void FutexWait(const SharedU32& word, uint32_t expected, int64_t nanoseconds);

// Ends the sleep of all threads that wait for `word`. Never blocks.
void FutexWake(const SharedU32& word);

}  // namespace grpc_cxl::internal

#endif  // GRPC_CXL_DOORBELL_FUTEX_H_
