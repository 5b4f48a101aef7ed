// SPDX-License-Identifier: Apache-2.0
#ifndef GRPC_CXL_TEST_SUPPORT_BOTH_SIDES_H_
#define GRPC_CXL_TEST_SUPPORT_BOTH_SIDES_H_

#include <functional>
#include <string>

namespace grpc_cxl::internal {

// Where the two sides of a conversation through shared memory live. Sanitizers see races
// only between threads; only two processes show that nothing but the mapping is shared.
enum class World { kThreads, kProcesses };

// Runs one side here and the other in a second thread or a forked child, at the same time,
// and waits for both. A side returns an empty string, or what went wrong; so does this,
// and it tells of a child's death as well.
//
// REQUIRES: no other thread runs, as with every fork.
std::string RunBothSides(World world, const std::function<std::string()>& here,
                         const std::function<std::string()>& there);

}  // namespace grpc_cxl::internal

#endif  // GRPC_CXL_TEST_SUPPORT_BOTH_SIDES_H_
