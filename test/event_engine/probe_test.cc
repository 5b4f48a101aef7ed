// SPDX-License-Identifier: Apache-2.0

// What `cxl_stat why` does in a process that has no channel, so that nobody else holds an engine.
#include "grpc_cxl/event_engine/probe.h"

#include <grpc/event_engine/event_engine.h>

#include <memory>

#include "grpc_cxl/event_engine/settings.h"
#include "grpc_cxl/rendezvous/service_name.h"
#include "gtest/gtest.h"
#include "test/support/temporary_directory.h"

namespace grpc_cxl::internal {
namespace {

TEST(ProbeTest, LeavesNoTimersToAnEngineThatIsDestroyed) {
  const TemporaryDirectory directory{"/tmp"};
  ChannelSettings settings;
  settings.directory.configured = directory.path();
  std::shared_ptr<grpc_event_engine::experimental::EventEngine> engine =
      grpc_event_engine::experimental::GetDefaultEventEngine();
  EXPECT_FALSE(ProbeName(ServiceName::Reserved("search"), settings).ok());
  const std::weak_ptr<grpc_event_engine::experimental::EventEngine> kept = engine;
  engine = nullptr;
  EXPECT_FALSE(kept.expired());
}

}  // namespace
}  // namespace grpc_cxl::internal
