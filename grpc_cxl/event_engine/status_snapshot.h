// SPDX-License-Identifier: Apache-2.0
#ifndef GRPC_CXL_EVENT_ENGINE_STATUS_SNAPSHOT_H_
#define GRPC_CXL_EVENT_ENGINE_STATUS_SNAPSHOT_H_

#include "grpc_cxl/status/status_page.h"

namespace grpc_cxl::internal {

// What there is to know about this process now. Thread-safe; some microseconds, and some more for
// each connection.
StatusPage TakeStatusSnapshot();

}  // namespace grpc_cxl::internal

#endif  // GRPC_CXL_EVENT_ENGINE_STATUS_SNAPSHOT_H_
