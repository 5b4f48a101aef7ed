// SPDX-License-Identifier: Apache-2.0
#ifndef GRPC_CXL_ENGINE_H_
#define GRPC_CXL_ENGINE_H_

#include <grpc/event_engine/event_engine.h>

#include <memory>

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

}  // namespace grpc_cxl

#endif  // GRPC_CXL_ENGINE_H_
