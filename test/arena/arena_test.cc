// SPDX-License-Identifier: Apache-2.0
// Proves what Arena::Create promises: zeroed, reserved, populated, sealed memory of whole
// pages that another process can attach to, and that lives as long as a process maps it.

#include "grpc_cxl/arena/arena.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cstdint>
#include <fstream>
#include <string>
#include <utility>

#include "absl/status/status_matchers.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "grpc_cxl/base/unique_fd.h"
#include "gtest/gtest.h"
#include "test/support/forked_child.h"
#include "test/support/process_state.h"

namespace grpc_cxl::internal {
namespace {

using ::absl_testing::StatusIs;
using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;

const size_t kPage = sysconf(_SC_PAGESIZE);
constexpr size_t kMiB = size_t{1} << 20;

Arena MakeArena(size_t bytes) {
  absl::StatusOr<Arena> arena = Arena::Create(bytes, {});
  EXPECT_TRUE(arena.ok()) << arena.status();
  return *std::move(arena);
}

TEST(ArenaTest, IsOfWholePagesReservedZeroAndWritable) {
  for (size_t bytes : {size_t{1}, kPage - 1, kPage, kPage + 1, kMiB + 12288}) {
    Arena arena = MakeArena(bytes);
    EXPECT_EQ(arena.size(), (bytes + kPage - 1) / kPage * kPage);
    struct stat file;
    ASSERT_EQ(fstat(arena.fd(), &file), 0);
    EXPECT_EQ(file.st_size, static_cast<off_t>(arena.size()));
    EXPECT_EQ(file.st_blocks * 512, static_cast<int64_t>(arena.size())) << "all of it is reserved";
    EXPECT_TRUE(std::all_of(arena.data(), arena.data() + arena.size(), [](char c) { return !c; }));
    std::fill_n(arena.data(), arena.size(), 'x');
  }
}

// Writes to each page; not instrumented, as a sanitizer's own memory faults as well.
__attribute__((no_sanitize("address", "thread"))) void Touch(char* data, size_t size) {
  for (size_t i = 0; i < size; i += kPage) *static_cast<volatile char*>(data + i) = 1;
}

TEST(ArenaTest, NoPageFaultIsLeftForTheFirstMessages) {
  Arena arena = MakeArena(kMiB);
  if (madvise(arena.data(), 0, 23 /* MADV_POPULATE_WRITE */) != 0) {
    GTEST_SKIP() << "kernels before 5.14 cannot populate a mapping";
  }
  rusage before, after;
  ASSERT_EQ(getrusage(RUSAGE_THREAD, &before), 0);
  Touch(arena.data(), arena.size());
  ASSERT_EQ(getrusage(RUSAGE_THREAD, &after), 0);
  EXPECT_LT(after.ru_minflt - before.ru_minflt, 16) << "of " << kMiB / kPage << " pages";
}

TEST(ArenaTest, ItsFileIsSealedAndNotInherited) {
  const Arena arena = MakeArena(kMiB);
  EXPECT_TRUE(arena.sealed());
  const int seals = F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL;
  EXPECT_EQ(fcntl(arena.fd(), F_GET_SEALS) & seals, seals);
  EXPECT_NE(ftruncate(arena.fd(), 0), 0);
  EXPECT_NE(ftruncate(arena.fd(), 2 * kMiB), 0);
  EXPECT_EQ(fcntl(arena.fd(), F_GETFD), FD_CLOEXEC);
}

TEST(ArenaTest, AnotherProcessSeesTheSameBytes) {
  Arena arena = MakeArena(kMiB);
  arena.data()[kMiB - 1] = 'a';
  ForkedChild child([&]() -> std::string {
    absl::StatusOr<Arena> theirs = Arena::Attach(UniqueFd(dup(arena.fd())), arena.size(),
                                                 /*sealed=*/true, /*trust_peer=*/false);
    if (!theirs.ok()) return theirs.status().ToString();
    if (theirs->size() != kMiB || !theirs->sealed()) return "another size, or not sealed";
    if (theirs->data() == arena.data()) return "mapped at the address we have it already";
    if (theirs->data()[kMiB - 1] != 'a') return "not the same memory";
    theirs->data()[0] = 'b';
    return "";
  });
  EXPECT_EQ(child.Join(), "");
  EXPECT_EQ(arena.data()[0], 'b');
}

// The flags that the kernel has for the mapping at `data`, in /proc/self/smaps.
std::string VmFlags(const char* data) {
  std::ifstream smaps("/proc/self/smaps");
  const std::string begin = absl::StrCat(absl::Hex(reinterpret_cast<uintptr_t>(data)), "-");
  bool found = false;
  for (std::string line; std::getline(smaps, line);) {
    found = found || absl::StartsWith(line, begin);
    if (found && absl::StartsWith(line, "VmFlags:")) return line + " ";
  }
  return "none";
}

TEST(ArenaTest, IsInNoDumpNorInChildrenItIsKeptFrom) {
  for (int turn = 0; turn < 3; ++turn) {  // also in the place of one that is gone
    Arena made = MakeArena(kMiB);
    EXPECT_THAT(VmFlags(made.data()), AllOf(HasSubstr(" dd "), Not(HasSubstr(" dc "))));
    made.KeepFromChildren();
    Arena arena = std::move(made);
    EXPECT_THAT(VmFlags(arena.data()), HasSubstr(" dc "));
    arena.data()[0] = 'p';
    ForkedChild child([&arena]() -> std::string {
      if (!arena.IsInherited()) return "not inherited";
      if (arena.data()[0] != 0) return "the parent's memory";
      arena.data()[0] = 'c';
      arena = MakeArena(kPage);
      return "";
    });
    EXPECT_EQ(child.Join(), "");
    EXPECT_EQ(arena.data()[0], 'p');
    EXPECT_FALSE(arena.IsInherited());
  }
}

TEST(ArenaTest, TheKernelIsNotAskedForMemoryThatIsNotThere) {
  const absl::Span<const char> vast(nullptr, size_t{1} << 46);
  EXPECT_THAT(
      ArenaPages(Reservation::kOnUse).Reserve(vast),
      StatusIs(absl::StatusCode::kResourceExhausted, HasSubstr("bytes of memory are available")));
}

TEST(ArenaTest, MovingHandsTheMemoryOver) {
  Arena first = MakeArena(kPage);
  char* const data = first.data();
  Arena second(std::move(first));
  EXPECT_EQ(second.data(), data);
  EXPECT_EQ(first.data(), nullptr);
  EXPECT_EQ(first.size(), 0);

  Arena third = MakeArena(2 * kPage);
  third = std::move(second);
  EXPECT_EQ(CountArenas(), 1) << "what it had is gone";
  EXPECT_EQ(third.data(), data);
  EXPECT_EQ(third.size(), kPage);
  EXPECT_EQ(second.data(), nullptr);
  Arena& same = third;
  third = std::move(same);
  EXPECT_EQ(third.data(), data);
  third.data()[0] = 'x';
}

TEST(ArenaTest, WhatCannotBeHadIsRefusedAndNobodyIsKilled) {
  for (size_t bytes : {size_t{0}, ~size_t{0}, size_t{1} << 63}) {
    EXPECT_THAT(Arena::Create(bytes, {}),
                StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("an arena cannot have")));
  }
  for (size_t bytes : {size_t{1} << 45, size_t{1} << 62}) {
    EXPECT_THAT(Arena::Create(bytes, {}),
                StatusIs(absl::StatusCode::kResourceExhausted,
                         AllOf(HasSubstr("cannot reserve"), HasSubstr("memory are available"),
                               HasSubstr("free memory or raise its limit"))));
  }
  MakeArena(kMiB);  // others go on
}

int64_t ReservedBytes(const Arena& arena) {
  struct stat file;
  EXPECT_EQ(fstat(arena.fd(), &file), 0);
  return file.st_blocks * 512;
}

TEST(ArenaTest, PagesTakeMemoryOnUseAndGiveItBack) {
  absl::StatusOr<Arena> arena = Arena::Create(kMiB, {}, Reservation::kOnUse);
  ASSERT_TRUE(arena.ok()) << arena.status();
  if (!arena->pages().on_use()) GTEST_SKIP() << "kernels before 5.14 cannot populate a mapping";
  const ArenaPages pages(Reservation::kOnUse, /*trust_peer=*/true);
  const size_t page = sysconf(_SC_PAGESIZE);
  EXPECT_EQ(ReservedBytes(*arena), 0);
  ASSERT_TRUE(pages.Reserve({arena->data() + page - 1, 2}).ok());
  EXPECT_EQ(ReservedBytes(*arena), 2 * page) << "every page with a byte";
  arena->data()[page] = 'x';
  ASSERT_TRUE(pages.Reserve({arena->data(), 3 * page}).ok());
  EXPECT_EQ(arena->data()[page], 'x') << "reserved pages stay as they are";
  EXPECT_EQ(ReservedBytes(*arena), 3 * page);
  pages.GiveBack({arena->data() + 1, 2 * page});
  EXPECT_EQ(ReservedBytes(*arena), 2 * page) << "only whole pages";
  EXPECT_EQ(arena->data()[page], 0);
  const int64_t before = ReservedBytes(*arena);
  arena->pages().GiveBack({arena->data(), kMiB});
  EXPECT_EQ(ReservedBytes(*arena), before) << "not where the peer may be a stranger";
}

TEST(ArenaTest, TheFileSizeLimitIsAnErrorAndNotASignal) {
  ForkedChild child([] {
    const rlimit small = {.rlim_cur = kPage, .rlim_max = kPage};
    setrlimit(RLIMIT_FSIZE, &small);
    return Arena::Create(kMiB, {}).status().ToString();
  });
  EXPECT_THAT(child.Join(), AllOf(HasSubstr("RESOURCE_EXHAUSTED"), HasSubstr("raise ulimit -f")));
}

TEST(ArenaTest, WithoutItsFileTheMappingStays) {
  Arena arena = MakeArena(kPage);
  arena.CloseFile();
  EXPECT_EQ(arena.fd(), -1);
  arena.data()[kPage - 1] = 'x';
}

}  // namespace
}  // namespace grpc_cxl::internal
