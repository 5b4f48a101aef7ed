// SPDX-License-Identifier: Apache-2.0
#ifndef GRPC_CXL_DIRECT_ONE_WAY_MARK_H_
#define GRPC_CXL_DIRECT_ONE_WAY_MARK_H_

#include <atomic>

namespace grpc_cxl::internal {

// The metadata of a call of DoNotWait() (one_way.h), which the channel's interceptor takes away
// where there is one.
inline constexpr char kOneWayKey[] = "cxl-one-way";

// Whether this process has ever marked a call: others spare themselves the search. relaxed: the
// thread that marks a call also begins it, or hands it over.
inline std::atomic<bool> any_one_way{false};

}  // namespace grpc_cxl::internal

#endif  // GRPC_CXL_DIRECT_ONE_WAY_MARK_H_
