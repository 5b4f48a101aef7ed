// SPDX-License-Identifier: Apache-2.0

// A region's file and header: what is refused, and that the text says why and what to do.

#include "grpc_cxl/region/region.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <string>

#include "absl/status/status_matchers.h"
#include "absl/strings/str_cat.h"
#include "grpc_cxl/base/layout_version.h"
#include "grpc_cxl/region/membership.h"
#include "grpc_cxl/region/region_file.h"
#include "test/support/forked_child.h"
#include "test/support/temporary_directory.h"

namespace grpc_cxl::internal {
namespace {

using ::absl_testing::IsOk;
using ::absl_testing::StatusIs;
using ::testing::HasSubstr;

constexpr auto kInvalid = absl::StatusCode::kInvalidArgument;
constexpr auto kPrecondition = absl::StatusCode::kFailedPrecondition;
constexpr uint64_t kBytes = 2 << 20;

class RegionTest : public ::testing::Test {
 protected:
  absl::Status Format(RegionFormat format = {.hosts = 2, .bytes = kBytes}) {
    return FormatRegion(path_, format);
  }
  absl::Status OpenAs(uint32_t host, uint64_t bytes = 0) {
    return Region::Open({.path = path_, .host = host, .bytes = bytes}).status();
  }
  template <typename Value>
  void Overwrite(size_t offset, Value value) {
    const UniqueFd fd(open(path_.c_str(), O_RDWR));
    ASSERT_EQ(pwrite(fd.get(), &value, sizeof(value), offset), static_cast<ssize_t>(sizeof(value)));
  }

  const TemporaryDirectory directory_;
  const std::string path_ = directory_.path() + "/region";
};

TEST_F(RegionTest, OfTwoHosts) {
  ASSERT_THAT(Format(), IsOk());
  const auto region = Region::Open({.path = path_, .host = 1});
  ASSERT_THAT(region, IsOk());
  EXPECT_EQ((*region)->hosts(), 2);
  EXPECT_EQ((*region)->granule(), 4096);
  EXPECT_EQ((*region)->lease(), absl::Seconds(1));
  EXPECT_EQ((*region)->memory_begin(1) - (*region)->memory_begin(0), (*region)->memory_per_host());
  EXPECT_LE((*region)->memory_begin(1) + (*region)->memory_per_host(), kBytes);
}

TEST_F(RegionTest, ThatIsNone) {
  EXPECT_THAT(OpenAs(0), StatusIs(absl::StatusCode::kNotFound, HasSubstr("cxl_region")));
  EXPECT_THAT(Region::Open({.path = directory_.path()}),
              StatusIs(kInvalid, HasSubstr("is a directory")));
  ASSERT_EQ(mkfifo(path_.c_str(), 0600), 0);
  EXPECT_THAT(OpenAs(0), StatusIs(kInvalid, HasSubstr("neither a plain file nor")));
  std::filesystem::remove(path_);
  std::ofstream(path_) << "no region";
  EXPECT_THAT(OpenAs(0), StatusIs(kPrecondition, HasSubstr("has 9 bytes and cannot be a region")));
  std::ofstream(path_) << std::string(kBytes, '\0');
  EXPECT_THAT(OpenAs(0), StatusIs(kPrecondition, HasSubstr("is not a region; make one with")));
}

TEST_F(RegionTest, ThatThisUserMayNotWrite) {
  if (const std::string why = WhyNoOtherUser(); !why.empty()) GTEST_SKIP() << why;
  const TemporaryDirectory open_to_all("/tmp");
  ASSERT_EQ(chmod(open_to_all.path().c_str(), 0755), 0);
  const std::string path = open_to_all.path() + "/region";
  ASSERT_THAT(FormatRegion(path, {.hosts = 1, .bytes = kBytes}), IsOk());
  EXPECT_THAT(
      ForkedChild(kNobody, [&] { return Region::Open({.path = path}).status().ToString(); }).Join(),
      HasSubstr("PERMISSION_DENIED: cannot open the region"));
}

TEST_F(RegionTest, WhoseMagicOrVersionIsNone) {
  for (const auto& [offset, value] : std::vector<std::pair<size_t, uint32_t>>{
           {offsetof(RegionHeader, magic), 0}, {offsetof(RegionHeader, layout_version), 0}}) {
    ASSERT_THAT(Format(), IsOk());
    Overwrite(offset, value);
    EXPECT_THAT(OpenAs(0), StatusIs(kPrecondition, HasSubstr("is not a region"))) << offset;
  }
}

TEST_F(RegionTest, OfAnotherVersion) {
  ASSERT_THAT(Format(), IsOk());
  Overwrite(offsetof(RegionHeader, layout_version), kLayoutVersion + 1);
  EXPECT_THAT(OpenAs(0), StatusIs(kPrecondition, HasSubstr("same release of grpc_cxl")));
}

TEST_F(RegionTest, ThatWasCut) {
  ASSERT_THAT(Format(), IsOk());
  ASSERT_EQ(truncate(path_.c_str(), kBytes / 2), 0);
  EXPECT_THAT(OpenAs(0), StatusIs(kPrecondition, HasSubstr("made shorter")));
}

TEST_F(RegionTest, WithNonsenseInTheHeader) {
  for (const auto& [offset, value] : std::vector<std::pair<size_t, uint64_t>>{
           {offsetof(RegionHeader, granule_bytes), 0},
           {offsetof(RegionHeader, granule_bytes), 12288},
           {offsetof(RegionHeader, granule_bytes), uint64_t{1} << 63},
           {offsetof(RegionHeader, lease_ms), kMinLeaseMs - 1},
           {offsetof(RegionHeader, lease_ms), kMaxLeaseMs + 1},
           {offsetof(RegionHeader, region_bytes), 8192}}) {
    ASSERT_THAT(Format(), IsOk());
    Overwrite(offset, value);
    EXPECT_THAT(OpenAs(0), StatusIs(absl::StatusCode::kDataLoss, HasSubstr("makes no sense")))
        << offset << " " << value;
  }
  ASSERT_THAT(Format(), IsOk());
  // Large enough for one host too many.
  const uint64_t bytes = 2 * MemoryBegin(kMaxRegionHosts, kPageBytes);
  ASSERT_EQ(truncate(path_.c_str(), bytes), 0);
  Overwrite(offsetof(RegionHeader, region_bytes), bytes);
  for (const uint32_t hosts : {0u, kMaxRegionHosts + 1}) {
    Overwrite(offsetof(RegionHeader, hosts), hosts);
    EXPECT_THAT(OpenAs(0), StatusIs(absl::StatusCode::kDataLoss)) << hosts;
  }
}

TEST_F(RegionTest, HostsOrBytesItDoesNotHave) {
  ASSERT_THAT(Format(), IsOk());
  EXPECT_THAT(OpenAs(2), StatusIs(kInvalid, HasSubstr("formatted for 2 hosts: 0 to 1")));
  EXPECT_THAT(OpenAs(0, 2 * kBytes), StatusIs(kInvalid, HasSubstr("not the 4194304 asked for")));
}

TEST_F(RegionTest, FormatsThatMakeNoSense) {
  EXPECT_THAT(Format({.hosts = 0, .bytes = kBytes}), StatusIs(kInvalid, HasSubstr("1 to 256")));
  EXPECT_THAT(Format({.hosts = 257, .bytes = kBytes}), StatusIs(kInvalid));
  EXPECT_THAT(Format({.hosts = 100, .bytes = kBytes}), StatusIs(kInvalid, HasSubstr("more than")));
  EXPECT_THAT(Format({.hosts = 1, .bytes = kBytes + 1}), StatusIs(kInvalid, HasSubstr("multiple")));
  EXPECT_THAT(Format({.hosts = 1, .bytes = kBytes, .granule = 12288}),
              StatusIs(kInvalid, HasSubstr("power of two")));
  EXPECT_THAT(Format({.hosts = 1, .bytes = kBytes, .lease = absl::Milliseconds(1)}),
              StatusIs(kInvalid, HasSubstr("100 ms to 10 min")));
}

TEST_F(RegionTest, IsNotFormattedWhileInUse) {
  ASSERT_THAT(Format(), IsOk());
  const auto region = Region::Open({.path = path_, .host = 1});
  ASSERT_THAT(region, IsOk());
  {
    const auto member = Membership::Join(*region);
    ASSERT_THAT(member, IsOk());
    EXPECT_THAT(Format(), StatusIs(kPrecondition, HasSubstr("stop them")));
  }
  EXPECT_THAT(Format(), IsOk());
}

// There is no dax device here; a character device with a sysfs of our own shows what is asked.
TEST_F(RegionTest, OfACharacterDevice) {
  struct stat found;
  ASSERT_EQ(stat("/dev/null", &found), 0);
  const std::string device = absl::StrCat(directory_.path(), "/dev/char/", major(found.st_rdev),
                                          ":", minor(found.st_rdev));
  EXPECT_THAT(OpenRegionFile("/dev/null", 0, directory_.path()),
              StatusIs(kInvalid, HasSubstr("set GRPC_CXL_REGION_BYTES")));
  std::filesystem::create_directories(device);
  std::ofstream(device + "/size") << "4194304\n";
  auto file = OpenRegionFile("/dev/null", 0, directory_.path());
  ASSERT_THAT(file, IsOk());
  EXPECT_EQ(file->bytes, 4 << 20);
  EXPECT_EQ(file->alignment, 2 << 20);
  std::ofstream(device + "/align") << "1073741824\n";
  file = OpenRegionFile("/dev/null", 1 << 20, directory_.path());
  ASSERT_THAT(file, IsOk());
  EXPECT_EQ(file->bytes, 1 << 20);
  EXPECT_EQ(file->alignment, 1 << 30);
}

}  // namespace
}  // namespace grpc_cxl::internal
