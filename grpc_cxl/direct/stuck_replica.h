// SPDX-License-Identifier: Apache-2.0
#ifndef GRPC_CXL_DIRECT_STUCK_REPLICA_H_
#define GRPC_CXL_DIRECT_STUCK_REPLICA_H_

#include <memory>

#include "grpc_cxl/direct/call_routes.h"

namespace grpc_cxl::internal {

// For a call that waits at a replica, in a slot or for a slot: has an eye on the replica as long as
// calls of this client are under way there. When it is stuck (ReplicaScore::StuckAt()), stopped or
// full of calls that take long, while another one would do better, the calls that it has not taken
// are taken back, and end as not taken: they go to other replicas. Those that it has taken may run,
// and stay.
//
// `route` is one of `routes`. Does nothing if it is no replica's.
void WatchReplica(const std::shared_ptr<CallRoutes>& routes,
                  const std::shared_ptr<const CallRoute>& route);

}  // namespace grpc_cxl::internal

#endif  // GRPC_CXL_DIRECT_STUCK_REPLICA_H_
