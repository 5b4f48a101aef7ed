// SPDX-License-Identifier: Apache-2.0

// `cxl_region clear` gives back what a host's servers left that have ended.

#include <gtest/gtest.h>

#include <string>

#include "absl/log/check.h"
#include "grpc_cxl/region/region.h"
#include "grpc_cxl/region/region_allocator.h"
#include "grpc_cxl/region/region_entries.h"
#include "test/support/spawned_child.h"
#include "test/support/temporary_directory.h"

namespace grpc_cxl::internal {
namespace {

TEST(CxlRegionTest, ClearFreesMemoryOfAServerThatDidNotWaitForItsClient) {
  const TemporaryDirectory directory;
  const std::string path = directory.path() + "/region";
  CHECK_OK(FormatRegion(path, {.hosts = 2, .bytes = 2 << 20}));
  const auto region = *Region::Open({.path = path, .host = 0});
  AnswerRecord answer;  // its owner has ended in order, and then its client has
  answer.owner = {.host = 0, .index = 0, .incarnation = 77};
  answer.to_host = 1;
  answer.to_request_id = 78;
  uint32_t index = 0;
  {
    const Region::HostLock lock(*region);
    index = ReserveMemory(*region, 64 << 10, answer).value();
  }
  ASSERT_TRUE(ReadAnswer(*region, 0, index).has_value());

  SpawnedChild tool("grpc_cxl/tools/cxl_region", {"clear", path, "--host=0"}, {});
  EXPECT_EQ(tool.Finish(), 0) << tool.output();
  const auto observer = *Region::Open({.path = path, .host = Region::kObserver});
  EXPECT_FALSE(ReadAnswer(*observer, 0, index).has_value());
}

}  // namespace
}  // namespace grpc_cxl::internal
