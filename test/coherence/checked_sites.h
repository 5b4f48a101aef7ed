// SPDX-License-Identifier: Apache-2.0
#ifndef GRPC_CXL_TEST_COHERENCE_CHECKED_SITES_H_
#define GRPC_CXL_TEST_COHERENCE_CHECKED_SITES_H_

#include <string>

#include "grpc_cxl/coherence/private_copy.h"

// Which sites come by (GRPC_CXL_RECORD_SITES), and which is left out (GRPC_CXL_DROP_SITE); see
// Checker. Thread-safe but for DropSite().
//
// Where GRPC_CXL_SITE_FUNCTIONS names a file, a site is a call path: the place, and the innermost
// four frames of the functions that this file tells of. Each of its lines has the address of a
// function in the program and a sign:
//
//   +   the function belongs to paths
//   -   paths end at it
//   .   neither: it is passed over
//
// checker_mutation_test.py makes it of the program's symbols.
namespace grpc_cxl::internal {

// "grpc_cxl/ring/ring_writer.cc:72".
std::string SiteName(Site site);

// Notes that the site was reached; false when it is to be left out.
bool ReachSite(Site site);

// By the name that was recorded: as above, or "grpc_cxl/ring/ring_writer.cc:72@1f4a0,20c33" with
// return addresses in the program.
void DropSite(const std::string& site);

}  // namespace grpc_cxl::internal

#endif  // GRPC_CXL_TEST_COHERENCE_CHECKED_SITES_H_
