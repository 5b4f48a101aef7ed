// SPDX-License-Identifier: Apache-2.0
#include "grpc_cxl/engine.h"

#include <utility>

#include "absl/base/no_destructor.h"
#include "absl/status/statusor.h"
#include "grpc_cxl/environment.h"
#include "grpc_cxl/event_engine/acceptor_registry.h"
#include "grpc_cxl/event_engine/cxl_engine.h"
#include "grpc_cxl/event_engine/default_engine.h"
#include "grpc_cxl/event_engine/settings_registry.h"

namespace grpc_cxl {

using grpc_event_engine::experimental::EventEngine;
using grpc_event_engine::experimental::GetDefaultEventEngine;
using grpc_event_engine::experimental::SetDefaultEventEngine;

namespace {

std::shared_ptr<internal::CxlEngine> MakeEngine() {
  // For channels and addresses that use this engine without our credentials.
  internal::SettingsRegistry<internal::ChannelSettings>::RegisterDefaults(
      internal::ResolveOptions(ChannelOptions{}));
  absl::StatusOr<internal::ServerSettings> server = internal::ResolveOptions(ServerOptions{});
  using Context = internal::ListenContext;
  internal::SettingsRegistry<Context>::RegisterDefaults(
      server.ok() ? absl::StatusOr<Context>(Context{*std::move(server)}) : server.status());
  return std::make_shared<internal::CxlEngine>(GetDefaultEventEngine());
}

const std::shared_ptr<internal::CxlEngine>& TheEngine() {
  // Never destroyed: connections and closures may outlive every static object.
  static absl::NoDestructor<std::shared_ptr<internal::CxlEngine>> engine(MakeEngine());
  return *engine;
}

}  // namespace

std::shared_ptr<EventEngine> Engine() { return TheEngine(); }

void MakeEngineDefault() {
  static const bool done = [] {
    SetDefaultEventEngine(std::make_shared<internal::DefaultEngine>(*TheEngine()));
    return true;
  }();
  static_cast<void>(done);
}

}  // namespace grpc_cxl
