// SPDX-License-Identifier: Apache-2.0
#include "grpc_cxl/engine.h"

#include <utility>

#include "absl/base/no_destructor.h"
#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "absl/synchronization/mutex.h"
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

struct PollingThreads {
  absl::Mutex mu;
  int count ABSL_GUARDED_BY(mu) = 0;
  bool started ABSL_GUARDED_BY(mu) = false;
};

PollingThreads& ThePollingThreads() {
  static absl::NoDestructor<PollingThreads> threads;
  return *threads;
}

int StartPollingThreads() {
  PollingThreads& threads = ThePollingThreads();
  absl::MutexLock lock(threads.mu);
  threads.started = true;
  // Nonsense in the environment is an error of the credentials (ResolveOptions()).
  return internal::Environment::Read().PollingThreads(threads.count).value_or(threads.count);
}

std::shared_ptr<internal::CxlEngine> MakeEngine() {
  // For channels and addresses that use this engine without our credentials.
  internal::SettingsRegistry<internal::ChannelSettings>::RegisterDefaults(
      internal::ResolveOptions(ChannelOptions{}));
  absl::StatusOr<internal::ServerSettings> server = internal::ResolveOptions(ServerOptions{});
  using Context = internal::ListenContext;
  internal::SettingsRegistry<Context>::RegisterDefaults(
      server.ok() ? absl::StatusOr<Context>(Context{*std::move(server)}) : server.status());
  return std::make_shared<internal::CxlEngine>(GetDefaultEventEngine(), StartPollingThreads());
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

absl::Status SetPollingThreads(int count) {
  if (count < 0 || count > internal::kMostPollingThreads) {
    return absl::InvalidArgumentError(absl::StrCat("the number of polling threads is ", count,
                                                   ", but must be from 0 (the default) to ",
                                                   internal::kMostPollingThreads));
  }
  PollingThreads& threads = ThePollingThreads();
  absl::MutexLock lock(threads.mu);
  if (threads.started) {
    return absl::FailedPreconditionError(
        "the polling threads run already; set their number before the first grpc_cxl credentials "
        "of the process are made, or with GRPC_CXL_POLLING_THREADS");
  }
  threads.count = count;
  return absl::OkStatus();
}

}  // namespace grpc_cxl
