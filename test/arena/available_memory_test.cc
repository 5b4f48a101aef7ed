// SPDX-License-Identifier: Apache-2.0
// Proves that AvailableMemory() reads the kernel's files as the kernel writes them, takes
// the tightest of all limits, and counts what it cannot read as no limit.

#include "grpc_cxl/arena/available_memory.h"

#include <filesystem>
#include <fstream>
#include <limits>
#include <string>

#include "gtest/gtest.h"
#include "test/support/temporary_directory.h"

namespace grpc_cxl::internal {
namespace {

constexpr int64_t kUnlimited = std::numeric_limits<int64_t>::max();
constexpr int64_t kKiB = 1024;

class AvailableMemoryTest : public ::testing::Test {
 protected:
  void Write(const std::string& path, const std::string& text) {
    const std::filesystem::path file = root_ + path;
    std::filesystem::create_directories(file.parent_path());
    std::ofstream(file) << text;
  }
  void MachineHas(int64_t kib) {
    Write("/proc/meminfo",
          "MemTotal:       99999999 kB\nMemFree:          100 kB\nMemAvailable:   " +
              std::to_string(kib) + " kB\nBuffers:           1 kB\n");
  }
  void Limit(const std::string& group, const std::string& max, int64_t current, int64_t cache) {
    const std::string folder = "/sys/fs/cgroup/" + group;
    Write(folder + "/memory.max", max + "\n");
    Write(folder + "/memory.current", std::to_string(current) + "\n");
    Write(folder + "/memory.stat", "anon 1\nfile 999999999\nshmem 77\ninactive_file " +
                                       std::to_string(cache - 1) + "\nactive_file 1\n");
  }

  const TemporaryDirectory directory_;
  const std::string root_ = directory_.path();
};

TEST_F(AvailableMemoryTest, ThisMachine) {
  EXPECT_GT(AvailableMemory(), 0);
  EXPECT_LT(AvailableMemory(), kUnlimited);
}

TEST_F(AvailableMemoryTest, WhatCannotBeReadIsNoLimit) {
  EXPECT_EQ(AvailableMemory(root_), kUnlimited);
  MachineHas(5000);
  EXPECT_EQ(AvailableMemory(root_), 5000 * kKiB);
}

TEST_F(AvailableMemoryTest, ALimitedPod) {
  MachineHas(5000);
  Write("/proc/self/cgroup", "0::/\n");
  Limit("", "3000000", 2000000, 100000);
  EXPECT_EQ(AvailableMemory(root_), 1100000) << "file cache can be dropped";
  Limit("", "max", 2000000, 100000);
  EXPECT_EQ(AvailableMemory(root_), 5000 * kKiB);
  Limit("", "1000000", 2000000, 100000);
  EXPECT_EQ(AvailableMemory(root_), 0) << "the limit was lowered below what is used";
}

TEST_F(AvailableMemoryTest, TheTightestGroupOnTheWayUp) {
  MachineHas(5000);
  Write("/proc/self/cgroup", "1:name=systemd:/x\n0::/kube/pod/container\n");
  Limit("kube/pod/container", "max", 10, 1);
  Limit("kube/pod", "4000000", 1000000, 1);
  Limit("kube", "9000000", 6500000, 1);
  EXPECT_EQ(AvailableMemory(root_), 2500001);
  Limit("kube/pod", "4000000", 3000000, 1);
  EXPECT_EQ(AvailableMemory(root_), 1000001);
}

TEST_F(AvailableMemoryTest, ControlGroupsOfVersion1) {
  MachineHas(5000);
  Write("/proc/self/cgroup", "4:cpu,memory:/pod\n3:cpuset:/else\n0::/\n");
  const std::string folder = "/sys/fs/cgroup/memory/";
  for (const std::string group : {"", "pod/"}) {
    Write(folder + group + "memory.limit_in_bytes",
          group.empty() ? "9223372036854771712\n" : "3000000\n");
    Write(folder + group + "memory.usage_in_bytes", "2000000\n");
    Write(folder + group + "memory.stat",
          "inactive_file 5\ntotal_inactive_file 99999\ntotal_active_file 1\n");
  }
  EXPECT_EQ(AvailableMemory(root_), 1100000);
}

TEST_F(AvailableMemoryTest, TheMachineCanBeTighterThanTheGroup) {
  MachineHas(10);
  Write("/proc/self/cgroup", "0::/pod\n");
  Limit("pod", "3000000", 0, 1);
  EXPECT_EQ(AvailableMemory(root_), 10 * kKiB);
}

}  // namespace
}  // namespace grpc_cxl::internal
