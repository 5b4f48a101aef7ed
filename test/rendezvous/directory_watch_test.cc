// SPDX-License-Identifier: Apache-2.0

// Proves that a watch reports the names that appear, and its own end.

#include "grpc_cxl/rendezvous/directory_watch.h"

#include <sys/stat.h>
#include <unistd.h>

#include <fstream>
#include <string>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "test/rendezvous/at.h"
#include "test/support/temporary_directory.h"

namespace grpc_cxl::internal {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

TEST(DirectoryWatchTest, ReportsNamesThatAppear) {
  const TemporaryDirectory parent;
  const std::string path = parent.path() + "/names";
  ASSERT_EQ(mkdir(path.c_str(), 0700), 0);
  DirectoryWatch watch(At(path));
  ASSERT_GE(watch.fd(), 0);
  EXPECT_THAT(watch.Take().stems, IsEmpty());
  for (const char* file : {"/b.sock", "/a.lock", "/other", "/a.sock"}) std::ofstream(path + file);
  EXPECT_THAT(watch.Take().stems, ElementsAre("a", "b"));
  EXPECT_EQ(rename((path + "/a.sock").c_str(), (path + "/c.sock").c_str()), 0);
  EXPECT_EQ(unlink((path + "/b.sock").c_str()), 0);
  const DirectoryWatch::Changes changes = watch.Take();
  EXPECT_THAT(changes.stems, ElementsAre("c"));
  EXPECT_FALSE(changes.lost || changes.over);
  EXPECT_EQ(rename(path.c_str(), (path + "2").c_str()), 0);
  EXPECT_TRUE(watch.Take().over);
}

TEST(DirectoryWatchTest, SaysWhyItWatchesNothing) {
  const uid_t self = geteuid();
  // Root may read everything.
  ASSERT_EQ(self == 0 ? seteuid(65534) : 0, 0);
  {
    const TemporaryDirectory parent("/tmp");
    const std::string path = parent.path() + "/names";
    ASSERT_EQ(mkdir(path.c_str(), 0300), 0);
    const DirectoryWatch watch(At(path));
    EXPECT_EQ(watch.fd(), -1);
    EXPECT_THAT(watch.problem(), AllOf(HasSubstr("may not read the directory"), HasSubstr(path)));
    EXPECT_EQ(chmod(path.c_str(), 0700), 0);  // so that it can be removed
  }
  EXPECT_EQ(seteuid(self), 0);
}

}  // namespace
}  // namespace grpc_cxl::internal
