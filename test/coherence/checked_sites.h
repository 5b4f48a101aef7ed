// SPDX-License-Identifier: Apache-2.0
#ifndef GRPC_CXL_TEST_COHERENCE_CHECKED_SITES_H_
#define GRPC_CXL_TEST_COHERENCE_CHECKED_SITES_H_

#include <string>

#include "grpc_cxl/coherence/private_copy.h"

// Which sites come by (GRPC_CXL_RECORD_SITES), and which is left out (GRPC_CXL_DROP_SITE); see
// Checker. Thread-safe but for DropSite().
namespace grpc_cxl::internal {

// "grpc_cxl/ring/ring_writer.cc:72".
std::string SiteName(Site site);

// Notes that the site was reached; false when it is to be left out.
bool ReachSite(Site site);

void DropSite(const std::string& site);

}  // namespace grpc_cxl::internal

#endif  // GRPC_CXL_TEST_COHERENCE_CHECKED_SITES_H_
