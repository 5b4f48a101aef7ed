// SPDX-License-Identifier: Apache-2.0
#ifndef GRPC_CXL_TOOLS_VERSION_H_
#define GRPC_CXL_TOOLS_VERSION_H_

#include <string>

namespace grpc_cxl::internal {

// What a report of a defect should say: the library's version, that of the layouts, by which two
// processes know that they can talk, and gRPC's.
std::string VersionText();

// Has --version print it. Before the command line is parsed.
void AnswerVersion();

}  // namespace grpc_cxl::internal

#endif  // GRPC_CXL_TOOLS_VERSION_H_
