// SPDX-License-Identifier: Apache-2.0
#ifndef GRPC_CXL_TOOLS_EXPORTER_H_
#define GRPC_CXL_TOOLS_EXPORTER_H_

#include <string>

#include "absl/status/status.h"
#include "grpc_cxl/rendezvous/rendezvous_directory.h"

namespace grpc_cxl::internal {

// Answers Prometheus at http://ADDRESS/metrics with what the pages say at the time, until the
// process ends. `address` is 127.0.0.1:9464 or the like. Returns only when it cannot listen there.
absl::Status ServeMetrics(const std::string& address, const DirectoryCandidates& directory);

}  // namespace grpc_cxl::internal

#endif  // GRPC_CXL_TOOLS_EXPORTER_H_
