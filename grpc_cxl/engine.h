// SPDX-License-Identifier: Apache-2.0
#ifndef GRPC_CXL_ENGINE_H_
#define GRPC_CXL_ENGINE_H_

#include <grpc/event_engine/event_engine.h>

#include <memory>

#include "absl/status/status.h"
#include "grpc_cxl/check_requirements.h"

namespace grpc_cxl {

// The event engine that serves `cxl:` names and passes everything else to the engine that was the
// default at the first call. For applications that choose engines themselves:
// ServerBuilder::SetEventEngine(), or an engine of their own around it. It hides gRPC's support for
// file descriptors, so a server that is given this engine explicitly cannot be used with
// grpc::AddInsecureChannelFromFd() and its like; a server with the default engine can.
// One per process, made on the first call, never destroyed. Thread-safe.
std::shared_ptr<grpc_event_engine::experimental::EventEngine> Engine();

// The first call wraps the process's default event engine. The wrapper lets servers listen on
// `cxl:` addresses with grpc_cxl::ServerCredentials(), and runs short closures of gRPC's callback
// API on grpc_cxl's threads; everything else, file descriptors included, stays gRPC's own.
// grpc_cxl's credentials call this by themselves. Thread-safe.
void MakeEngineDefault();

// How many polling threads the process has: 1 to 64; 0, the default, is one for every two cores
// that it may use (affinity and CPU quota), at most four. Each connection belongs to one of them.
// More serve more busy connections at once, and each takes a core while it spins. Closures and
// calls that have to wait go to helping threads besides, as long as a core is free, whatever this
// number is.
//
// One number for the process, since all channels and servers share the threads: to be set before
// the first credentials, the first Engine() and the first server of a ServerBuilder.
// FAILED_PRECONDITION afterwards, INVALID_ARGUMENT for other numbers. GRPC_CXL_POLLING_THREADS in
// the environment overrides it. Thread-safe.
absl::Status SetPollingThreads(int count);

}  // namespace grpc_cxl

#endif  // GRPC_CXL_ENGINE_H_
