// SPDX-License-Identifier: Apache-2.0
#ifndef GRPC_CXL_ENGINE_H_
#define GRPC_CXL_ENGINE_H_

#include <grpc/event_engine/event_engine.h>

#include <memory>

namespace grpc_cxl {

// The event engine that knows `cxl:` names and hands everything else to the engine that
// was the default when this was first called. For applications that choose engines
// themselves: ServerBuilder::SetEventEngine(), or an engine of their own around it.
// One per process, made on the first call, never destroyed. Thread-safe.
std::shared_ptr<grpc_event_engine::experimental::EventEngine> Engine();

// Makes Engine() the process's default event engine, the first time it is called. Our
// credentials do this by themselves. Thread-safe.
void MakeEngineDefault();

}  // namespace grpc_cxl

#endif  // GRPC_CXL_ENGINE_H_
