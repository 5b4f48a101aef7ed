// SPDX-License-Identifier: Apache-2.0
#ifndef GRPC_CXL_TOOLS_STAT_UI_H_
#define GRPC_CXL_TOOLS_STAT_UI_H_

#include "grpc_cxl/rendezvous/rendezvous_directory.h"

namespace grpc_cxl::internal {

// Shows processes and connections in the terminal, as top(1) does: what happens in a second,
// refreshed each second, until the user ends it with `q`. Keys: up and down choose a connection,
// Enter opens it, `s` sorts by another column.
void ShowInTerminal(const DirectoryCandidates& directory);

}  // namespace grpc_cxl::internal

#endif  // GRPC_CXL_TOOLS_STAT_UI_H_
