#include "grpc_cxl/engine.h"

#include "absl/base/no_destructor.h"
#include "grpc_cxl/event_engine/cxl_engine.h"

namespace grpc_cxl {

using grpc_event_engine::experimental::EventEngine;
using grpc_event_engine::experimental::GetDefaultEventEngine;
using grpc_event_engine::experimental::SetDefaultEventEngine;

std::shared_ptr<EventEngine> Engine() {
  // Never destroyed: connections and closures may outlive every static object.
  static absl::NoDestructor<std::shared_ptr<EventEngine>> engine(
      std::make_shared<CxlEngine>(GetDefaultEventEngine()));
  return *engine;
}

void MakeEngineDefault() {
  static const bool done = [] {
    SetDefaultEventEngine(Engine());
    return true;
  }();
  static_cast<void>(done);
}

}  // namespace grpc_cxl
