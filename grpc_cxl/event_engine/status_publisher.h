// SPDX-License-Identifier: Apache-2.0
#ifndef GRPC_CXL_EVENT_ENGINE_STATUS_PUBLISHER_H_
#define GRPC_CXL_EVENT_ENGINE_STATUS_PUBLISHER_H_

#include "grpc_cxl/event_engine/settings.h"

namespace grpc_cxl::internal {

// Something worth showing has come: a connection or a name of an end with these settings. The first
// call with EndpointSettings::status_page starts the thread that keeps the process's status page,
// in the directory of these settings, until the process ends; later ones have it look soon. The
// thread copies figures that are counted anyway, once a second, and writes them if they have
// changed.
//
// Where the directory is missing, full, or not to be written to (then with a line in the log) there
// is no page; it is tried again now and then. A forked child has no thread, and so no page.
// Thread-safe.
void ShowStatus(const EndpointSettings& settings);

}  // namespace grpc_cxl::internal

#endif  // GRPC_CXL_EVENT_ENGINE_STATUS_PUBLISHER_H_
