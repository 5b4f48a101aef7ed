// SPDX-License-Identifier: Apache-2.0
// Proves that a UniqueFd closes its file exactly once, with its last holder.

#include "grpc_cxl/base/unique_fd.h"

#include <fcntl.h>

#include <utility>

#include "gtest/gtest.h"

namespace grpc_cxl::internal {
namespace {

int OpenNull() { return open("/dev/null", O_RDONLY | O_CLOEXEC); }
bool IsOpen(int fd) { return fcntl(fd, F_GETFD) != -1; }

TEST(UniqueFdTest, ClosesWhatItHasNotGivenAway) {
  const int fd = OpenNull(), released = OpenNull();
  {
    UniqueFd owner(fd), other(released);
    EXPECT_TRUE(owner);
    EXPECT_EQ(owner.get(), fd);
    EXPECT_TRUE(IsOpen(fd));
    EXPECT_EQ(other.Release(), released);
    EXPECT_FALSE(other);
  }
  EXPECT_FALSE(IsOpen(fd));
  EXPECT_TRUE(IsOpen(released));
  UniqueFd(released).Reset();
  EXPECT_FALSE(IsOpen(released));
}

TEST(UniqueFdTest, EmptyOwnsNothingAndZeroIsAFileDescriptor) {
  UniqueFd empty;
  EXPECT_FALSE(empty);
  EXPECT_EQ(empty.get(), -1);
  empty.Reset();
  EXPECT_FALSE(empty);
  UniqueFd zero(0);
  EXPECT_TRUE(zero);
  EXPECT_EQ(zero.Release(), 0);  // stays open: it is the test's own standard input
}

TEST(UniqueFdTest, MoveHandsOver) {
  const int fd = OpenNull(), other = OpenNull();
  UniqueFd first(fd);
  UniqueFd second(std::move(first));
  EXPECT_FALSE(first);
  EXPECT_EQ(second.get(), fd);

  UniqueFd third(other);
  third = std::move(second);
  EXPECT_FALSE(second);
  EXPECT_EQ(third.get(), fd);
  EXPECT_FALSE(IsOpen(other)) << "assignment must close what was held before";
  UniqueFd& same = third;
  third = std::move(same);
  EXPECT_EQ(third.get(), fd);
  EXPECT_TRUE(IsOpen(fd));
}

}  // namespace
}  // namespace grpc_cxl::internal
