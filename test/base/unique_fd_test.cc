// Proves that a UniqueFd closes its file exactly once, whoever holds it last.

#include "grpc_cxl/base/unique_fd.h"

#include <fcntl.h>

#include <utility>

#include "gtest/gtest.h"

namespace grpc_cxl::internal {
namespace {

int OpenNull() { return open("/dev/null", O_RDONLY | O_CLOEXEC); }
bool IsOpen(int fd) { return fcntl(fd, F_GETFD) != -1; }

TEST(UniqueFdTest, ClosesWhenItDies) {
  const int fd = OpenNull();
  ASSERT_GE(fd, 0);
  {
    UniqueFd owner(fd);
    EXPECT_TRUE(owner);
    EXPECT_EQ(owner.get(), fd);
    EXPECT_TRUE(IsOpen(fd));
  }
  EXPECT_FALSE(IsOpen(fd));
}

TEST(UniqueFdTest, EmptyOwnsNothing) {
  UniqueFd empty;
  EXPECT_FALSE(empty);
  EXPECT_EQ(empty.get(), -1);
  empty.Reset();
  EXPECT_FALSE(empty);
}

TEST(UniqueFdTest, ZeroIsAFileDescriptor) {
  UniqueFd zero(0);
  EXPECT_TRUE(zero);
  EXPECT_EQ(zero.Release(), 0);  // stays open: it is the test's own standard input
}

TEST(UniqueFdTest, MoveHandsOver) {
  const int fd = OpenNull();
  UniqueFd first(fd);
  UniqueFd second(std::move(first));
  EXPECT_FALSE(first);
  EXPECT_EQ(second.get(), fd);

  const int other = OpenNull();
  UniqueFd third(other);
  third = std::move(second);
  EXPECT_FALSE(second);
  EXPECT_EQ(third.get(), fd);
  EXPECT_FALSE(IsOpen(other)) << "assignment must close what was held before";
  EXPECT_TRUE(IsOpen(fd));
}

TEST(UniqueFdTest, MoveToItselfKeepsTheFile) {
  UniqueFd owner(OpenNull());
  UniqueFd& same = owner;
  owner = std::move(same);
  EXPECT_TRUE(owner);
  EXPECT_TRUE(IsOpen(owner.get()));
}

TEST(UniqueFdTest, ReleaseGivesTheFileAway) {
  UniqueFd owner(OpenNull());
  const int fd = owner.Release();
  EXPECT_FALSE(owner);
  EXPECT_TRUE(IsOpen(fd));
  UniqueFd(fd).Reset();
  EXPECT_FALSE(IsOpen(fd));
}

}  // namespace
}  // namespace grpc_cxl::internal
