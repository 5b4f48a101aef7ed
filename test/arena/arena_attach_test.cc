// Proves that Arena::Attach believes nothing about the file a peer passes: what could make
// us crash later (a file that can shrink, that is too short, that is not memory at all) or
// take memory for the peer is refused with the reason.

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include <string>
#include <utility>

#include "absl/status/status_matchers.h"
#include "gmock/gmock.h"
#include "grpc_cxl/arena/arena.h"
#include "grpc_cxl/base/unique_fd.h"
#include "gtest/gtest.h"

namespace grpc_cxl::internal {
namespace {

using ::absl_testing::StatusIs;
using ::testing::AllOf;
using ::testing::HasSubstr;

constexpr size_t kBytes = size_t{1} << 20;
constexpr auto kPrecondition = absl::StatusCode::kFailedPrecondition;

// A memfd as a peer might make it: `reserved` of `kBytes` bytes, with these seals.
UniqueFd Memfd(int seals, size_t reserved = kBytes) {
  UniqueFd fd(memfd_create("peer", MFD_CLOEXEC | MFD_ALLOW_SEALING));
  EXPECT_EQ(ftruncate(fd.get(), kBytes), 0);
  EXPECT_TRUE(reserved == 0 || fallocate(fd.get(), 0, 0, reserved) == 0);
  EXPECT_EQ(fcntl(fd.get(), F_ADD_SEALS, seals), 0);
  return fd;
}

TEST(ArenaAttachTest, WhatTheServerMakesIsAccepted) {
  absl::StatusOr<Arena> server = Arena::Create(kBytes, {});
  ASSERT_TRUE(server.ok());
  absl::StatusOr<Arena> client = Arena::Attach(UniqueFd(dup(server->fd())), kBytes, true);
  ASSERT_TRUE(client.ok()) << client.status();
  EXPECT_EQ(client->size(), kBytes);
  EXPECT_TRUE(client->sealed());
  client->data()[7] = 'x';
  EXPECT_EQ(server->data()[7], 'x');
}

TEST(ArenaAttachTest, OnlyTheSealAgainstShrinkingIsNeeded) {
  EXPECT_TRUE(Arena::Attach(Memfd(F_SEAL_SHRINK), kBytes, true).ok());
}

TEST(ArenaAttachTest, UnsealedIsRefused) {
  for (int seals : {0, F_SEAL_GROW, F_SEAL_GROW | F_SEAL_SEAL}) {
    EXPECT_THAT(Arena::Attach(Memfd(seals), kBytes, true),
                StatusIs(kPrecondition, HasSubstr("not sealed against shrinking")));
  }
}

TEST(ArenaAttachTest, UnsealedIsAcceptedFromWhoIsTrusted) {
  absl::StatusOr<Arena> arena = Arena::Attach(Memfd(0), kBytes, false);
  ASSERT_TRUE(arena.ok()) << arena.status();
  EXPECT_FALSE(arena->sealed());
}

TEST(ArenaAttachTest, ShorterThanAnnouncedIsRefused) {
  UniqueFd shrunken = Memfd(0);
  ASSERT_EQ(ftruncate(shrunken.get(), kBytes / 2), 0);
  ASSERT_EQ(fcntl(shrunken.get(), F_ADD_SEALS, F_SEAL_SHRINK), 0);
  EXPECT_THAT(Arena::Attach(std::move(shrunken), kBytes, true),
              StatusIs(kPrecondition, AllOf(HasSubstr("has 524288 bytes"),
                                            HasSubstr("1048576 bytes were announced"))));
}

TEST(ArenaAttachTest, AnyOtherSizeThanAnnouncedIsRefused) {
  for (size_t announced : {size_t{0}, kBytes - 4096, kBytes + 4096, ~size_t{0}}) {
    EXPECT_THAT(Arena::Attach(Memfd(F_SEAL_SHRINK), announced, true),
                StatusIs(kPrecondition, HasSubstr("were announced")));
  }
}

TEST(ArenaAttachTest, EmptyIsRefused) {
  UniqueFd empty(memfd_create("peer", MFD_CLOEXEC | MFD_ALLOW_SEALING));
  ASSERT_EQ(fcntl(empty.get(), F_ADD_SEALS, F_SEAL_SHRINK), 0);
  EXPECT_THAT(Arena::Attach(std::move(empty), 0, true), StatusIs(kPrecondition));
}

TEST(ArenaAttachTest, MemoryThatIsOnlyPromisedIsRefused) {
  // Else a peer that owns nothing could make us take all the memory there is.
  EXPECT_THAT(Arena::Attach(Memfd(F_SEAL_SHRINK, 0), kBytes, true),
              StatusIs(kPrecondition, HasSubstr("only 0 of the 1048576 bytes")));
  EXPECT_THAT(Arena::Attach(Memfd(F_SEAL_SHRINK, kBytes / 2), kBytes, true),
              StatusIs(kPrecondition, HasSubstr("only 524288 of the 1048576 bytes")));
}

TEST(ArenaAttachTest, AFileWeMayNotWriteIsRefused) {
  UniqueFd sealed = Memfd(F_SEAL_SHRINK | F_SEAL_WRITE);
  EXPECT_FALSE(Arena::Attach(std::move(sealed), kBytes, true).ok());
  UniqueFd writable = Memfd(F_SEAL_SHRINK);
  const std::string path = "/proc/self/fd/" + std::to_string(writable.get());
  UniqueFd read_only(open(path.c_str(), O_RDONLY | O_CLOEXEC));
  ASSERT_TRUE(read_only);
  EXPECT_FALSE(Arena::Attach(std::move(read_only), kBytes, true).ok());
}

TEST(ArenaAttachTest, WhatIsNoFileOfMemoryIsRefused) {
  for (bool sealed : {true, false}) {
    EXPECT_THAT(Arena::Attach(UniqueFd(), kBytes, sealed), StatusIs(kPrecondition));
    for (const char* path : {"/dev/zero", "/dev/null", "/"}) {
      EXPECT_THAT(Arena::Attach(UniqueFd(open(path, O_RDONLY | O_CLOEXEC)), kBytes, sealed),
                  StatusIs(kPrecondition))
          << path;
    }
    int ends[2];
    ASSERT_EQ(pipe2(ends, O_CLOEXEC), 0);
    UniqueFd reading(ends[0]);
    EXPECT_THAT(Arena::Attach(UniqueFd(ends[1]), kBytes, sealed), StatusIs(kPrecondition));
    ASSERT_EQ(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends), 0);
    UniqueFd socket(ends[0]);
    EXPECT_THAT(Arena::Attach(UniqueFd(ends[1]), kBytes, sealed), StatusIs(kPrecondition));
  }
}

}  // namespace
}  // namespace grpc_cxl::internal
