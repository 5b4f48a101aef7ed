// SPDX-License-Identifier: Apache-2.0
#ifndef GRPC_CXL_TEST_REGION_REGION_CHILDREN_H_
#define GRPC_CXL_TEST_REGION_REGION_CHILDREN_H_

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>

#include "absl/time/time.h"
#include "grpc_cxl/region/region_node.h"

// What forked children of a test do in a region. What goes wrong ends the child.
namespace grpc_cxl::internal {

inline constexpr size_t kArenaBytes = 64 << 10;
inline constexpr absl::Duration kPatience = absl::Seconds(60);  // of all processes; a failure only

std::shared_ptr<RegionNode> JoinRegion(const std::string& path, uint32_t host);

// Serves `name` on host 0 until `stop` is closed at its other end; every connection ends when its
// client's does. 0, or what went wrong.
int ServeRegion(const std::string& path, const std::string& name, int stop);

// Tries until there is a connection.
RegionOffer ConnectTo(RegionNode& node, const std::string& name);

}  // namespace grpc_cxl::internal

#endif  // GRPC_CXL_TEST_REGION_REGION_CHILDREN_H_
