// SPDX-License-Identifier: Apache-2.0
// Proves that affinity and the quotas of all control groups above us limit the cores.

#include "grpc_cxl/polling/usable_cores.h"

#include <sched.h>

#include <filesystem>
#include <fstream>
#include <string>

#include "gtest/gtest.h"
#include "test/support/temporary_directory.h"

namespace grpc_cxl::internal {
namespace {

class UsableCoresTest : public ::testing::Test {
 protected:
  void Write(const std::string& file, const std::string& text) {
    const std::filesystem::path path = directory_.path() + file;
    std::filesystem::create_directories(path.parent_path());
    std::ofstream(path) << text << "\n";
  }
  int Cores() const { return UsableCores(directory_.path()); }

  const TemporaryDirectory directory_;
  const int all_ = Cores();  // without control groups
};

TEST_F(UsableCoresTest, AreThoseOfTheAffinityMask) {
  cpu_set_t before, one;
  ASSERT_EQ(sched_getaffinity(0, sizeof(before), &before), 0);
  EXPECT_EQ(all_, CPU_COUNT(&before));
  CPU_ZERO(&one);
  CPU_SET(sched_getcpu(), &one);
  ASSERT_EQ(sched_setaffinity(0, sizeof(one), &one), 0);
  EXPECT_EQ(Cores(), 1);
  ASSERT_EQ(sched_setaffinity(0, sizeof(before), &before), 0);
}

TEST_F(UsableCoresTest, VersionTwoAllGroupsCount) {
  if (all_ == 1) GTEST_SKIP() << "one core has no less";
  Write("/proc/self/cgroup", "0::/pods/ours");
  Write("/sys/fs/cgroup/pods/ours/cpu.max", "max 100000");
  EXPECT_EQ(Cores(), all_);
  Write("/sys/fs/cgroup/pods/cpu.max", "50000 100000");
  EXPECT_EQ(Cores(), 1);
  Write("/sys/fs/cgroup/pods/cpu.max", "150000 100000");
  EXPECT_EQ(Cores(), 2) << "rounded up";
  Write("/sys/fs/cgroup/cpu.max", "10000 100000");
  EXPECT_EQ(Cores(), 1);
}

TEST_F(UsableCoresTest, VersionOne) {
  if (all_ == 1) GTEST_SKIP() << "one core has no less";
  Write("/proc/self/cgroup", "5:memory:/a\n4:cpu,cpuacct:/a");
  Write("/sys/fs/cgroup/cpu/a/cpu.cfs_period_us", "100000");
  Write("/sys/fs/cgroup/cpu/a/cpu.cfs_quota_us", "-1");
  EXPECT_EQ(Cores(), all_);
  Write("/sys/fs/cgroup/cpu/a/cpu.cfs_quota_us", "100000");
  EXPECT_EQ(Cores(), 1);
}

}  // namespace
}  // namespace grpc_cxl::internal
