// SPDX-License-Identifier: Apache-2.0
// Proves that Arena::Attach believes nothing about the file a peer passes: a file that could
// make us crash later (that can shrink, that is too short, that is not memory at all) or take
// memory for the peer is refused with the reason.

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
#include "test/support/eventually.h"
#include "test/support/process_state.h"
#include "test/support/socket_pair.h"

namespace grpc_cxl::internal {
namespace {

using ::absl_testing::StatusIs;
using ::testing::HasSubstr;

constexpr size_t kBytes = size_t{1} << 20;
constexpr auto kPrecondition = absl::StatusCode::kFailedPrecondition;

// A memfd as a peer might make it: of `size` bytes, with `reserved` bytes of memory.
UniqueFd Memfd(int seals, size_t reserved = kBytes, size_t size = kBytes) {
  UniqueFd fd(memfd_create("peer", MFD_CLOEXEC | MFD_ALLOW_SEALING));
  EXPECT_TRUE(reserved == 0 || fallocate(fd.get(), 0, 0, reserved) == 0);
  EXPECT_EQ(ftruncate(fd.get(), size), 0);
  EXPECT_EQ(fcntl(fd.get(), F_ADD_SEALS, seals), 0);
  return fd;
}

TEST(ArenaAttachTest, OnlyTheSealAgainstShrinkingIsNeeded) {
  absl::StatusOr<Arena> sealed = Arena::Attach(Memfd(F_SEAL_SHRINK), kBytes, true, false);
  ASSERT_TRUE(sealed.ok()) << sealed.status();
  EXPECT_TRUE(sealed->sealed());
  EXPECT_EQ(sealed->size(), kBytes);
  absl::StatusOr<Arena> trusted = Arena::Attach(Memfd(0), kBytes, false, true);
  ASSERT_TRUE(trusted.ok()) << trusted.status();
  EXPECT_FALSE(trusted->sealed());
}

TEST(ArenaAttachTest, MemoryThatIsNotAsAnnouncedIsRefused) {
  constexpr int kSeal = F_SEAL_SHRINK;
  const struct {
    int seals;
    size_t reserved, size, announced;
    const char* text;
  } kCases[] = {
      {0, kBytes, kBytes, kBytes, "not sealed"},
      {F_SEAL_GROW, kBytes, kBytes, kBytes, "not sealed"},
      {F_SEAL_GROW | F_SEAL_SEAL, kBytes, kBytes, kBytes, "not sealed"},
      {kSeal, kBytes, kBytes / 2, kBytes, "has 524288 bytes, but 1048576 bytes were announced"},
      {kSeal, kBytes, kBytes, 0, "were announced"},
      {kSeal, kBytes, kBytes, kBytes - 4096, "were announced"},
      {kSeal, kBytes, kBytes, kBytes + 4096, "were announced"},
      {kSeal, kBytes, kBytes, ~size_t{0}, "were announced"},
      {kSeal, 0, 0, 0, ""},
  };
  const int files = CountOpenFiles();
  for (const auto& c : kCases) {
    EXPECT_THAT(Arena::Attach(Memfd(c.seals, c.reserved, c.size), c.announced, true, false),
                StatusIs(kPrecondition, HasSubstr(c.text)))
        << c.seals << " " << c.reserved << " " << c.size << " " << c.announced;
  }
  EXPECT_TRUE(Eventually([&] { return CountOpenFiles() == files; })) << CountOpenFiles();
}

TEST(ArenaAttachTest, OnlySealedMemoryMayBeReservedOnUse) {
  const absl::StatusOr<Arena> arena =
      Arena::Attach(Memfd(F_SEAL_SHRINK, kBytes / 2), kBytes, /*sealed=*/true, false);
  ASSERT_TRUE(arena.ok()) << arena.status();
  EXPECT_TRUE(arena->pages().on_use());
  EXPECT_THAT(Arena::Attach(Memfd(F_SEAL_SHRINK, kBytes / 2), kBytes, /*sealed=*/false, true),
              StatusIs(kPrecondition, HasSubstr("only 524288 of the 1048576 bytes")));
}

// Files that a peer can take away from under us, announced by a peer that is not trusted.
TEST(ArenaAttachTest, OnlySealedOrdinaryMemoryFromAStranger) {
  EXPECT_THAT(Arena::Attach(Memfd(F_SEAL_SHRINK), kBytes, /*sealed=*/false, false),
              StatusIs(kPrecondition, HasSubstr("trusted_uids")));
  constexpr size_t kHuge = size_t{2} << 20;
  UniqueFd huge(memfd_create("peer", MFD_CLOEXEC | MFD_ALLOW_SEALING | MFD_HUGETLB));
  ASSERT_TRUE(huge);
  ASSERT_EQ(ftruncate(huge.get(), kHuge), 0);
  ASSERT_EQ(fcntl(huge.get(), F_ADD_SEALS, F_SEAL_SHRINK), 0);
  EXPECT_THAT(Arena::Attach(std::move(huge), kHuge, /*sealed=*/true, false),
              StatusIs(kPrecondition, HasSubstr("no memfd of ordinary pages")));
}

TEST(ArenaAttachTest, AFileWeMayNotWriteIsRefused) {
  EXPECT_FALSE(Arena::Attach(Memfd(F_SEAL_SHRINK | F_SEAL_WRITE), kBytes, true, false).ok());
  const UniqueFd writable = Memfd(F_SEAL_SHRINK);
  const std::string path = "/proc/self/fd/" + std::to_string(writable.get());
  UniqueFd read_only(open(path.c_str(), O_RDONLY | O_CLOEXEC));
  ASSERT_TRUE(read_only);
  EXPECT_FALSE(Arena::Attach(std::move(read_only), kBytes, true, false).ok());
}

TEST(ArenaAttachTest, WhatIsNoFileOfMemoryIsRefused) {
  for (bool sealed : {true, false}) {
    const auto attach = [sealed](UniqueFd fd) {
      return Arena::Attach(std::move(fd), kBytes, sealed, !sealed).status();
    };
    EXPECT_THAT(attach(UniqueFd()), StatusIs(kPrecondition));
    for (const char* path : {"/dev/zero", "/dev/null", "/"}) {
      EXPECT_THAT(attach(UniqueFd(open(path, O_RDONLY | O_CLOEXEC))), StatusIs(kPrecondition))
          << path;
    }
    int ends[2];
    ASSERT_EQ(pipe2(ends, O_CLOEXEC), 0);
    const UniqueFd reading(ends[0]);
    EXPECT_THAT(attach(UniqueFd(ends[1])), StatusIs(kPrecondition));
    EXPECT_THAT(attach(std::move(SocketPair().ours)), StatusIs(kPrecondition));
  }
}

}  // namespace
}  // namespace grpc_cxl::internal
