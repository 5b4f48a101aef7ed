// SPDX-License-Identifier: Apache-2.0
// Proves that every system call under an arena may fail: the status carries the reason, and
// no file descriptor or mapping is left behind. An interrupted call is made again.

#include <errno.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <string>

#include "absl/status/status_matchers.h"
#include "gmock/gmock.h"
#include "grpc_cxl/arena/arena.h"
#include "gtest/gtest.h"
#include "test/support/process_state.h"

namespace {

// The call that fails next, once, and how.
struct {
  const char* call = "";
  int error = 0;
  int times = 0;
} g_failure;

bool Fails(const char* call) {
  if (g_failure.times == 0 || std::string(g_failure.call) != call) return false;
  --g_failure.times;
  errno = g_failure.error;
  return true;
}

}  // namespace

// These stand in front of the C library's.
extern "C" {

int memfd_create(const char* name, unsigned flags) noexcept {
  return Fails("memfd_create") ? -1 : syscall(SYS_memfd_create, name, flags);
}

int ftruncate(int fd, off_t size) noexcept {
  return Fails("ftruncate") ? -1 : syscall(SYS_ftruncate, fd, size);
}

int fallocate(int fd, int mode, off_t offset, off_t size) {
  return Fails("fallocate") ? -1 : syscall(SYS_fallocate, fd, mode, offset, size);
}

int madvise(void* data, size_t size, int advice) noexcept {
  constexpr int kPopulateWrite = 23;  // newer than some systems' headers
  if (advice == kPopulateWrite && Fails("madvise")) return -1;
  return syscall(SYS_madvise, data, size, advice);
}

}  // extern "C"

namespace grpc_cxl::internal {
namespace {

using ::absl_testing::StatusIs;
using ::testing::HasSubstr;

constexpr size_t kBytes = size_t{1} << 20;

TEST(ArenaFailureTest, IsReportedAndLeavesNothing) {
  constexpr auto kExhausted = absl::StatusCode::kResourceExhausted;
  const struct {
    const char* call;
    int error;
    absl::StatusCode code;
    const char* text;
  } kCases[] = {
      {"memfd_create", EMFILE, kExhausted, "ulimit -n"},
      {"memfd_create", ENOMEM, kExhausted, "memfd_create"},
      {"memfd_create", ENOSYS, absl::StatusCode::kUnimplemented, "memfd_create"},
      {"ftruncate", EFBIG, kExhausted, "cannot reserve 1048576 bytes"},
      {"fallocate", ENOSPC, kExhausted, "No space left"},
      {"fallocate", ENOMEM, kExhausted, "free memory or raise its limit"},
      {"madvise", ENOMEM, kExhausted, "cannot bring the 1048576 bytes"},
      {"madvise", EFAULT, kExhausted, "populating"},
  };
  for (const auto& c : kCases) {
    const int files = CountOpenFiles();
    g_failure = {.call = c.call, .error = c.error, .times = 1};
    EXPECT_THAT(Arena::Create(kBytes, {}), StatusIs(c.code, HasSubstr(c.text))) << c.call;
    EXPECT_EQ(g_failure.times, 0) << c.call << " was not called";
    EXPECT_EQ(CountOpenFiles(), files) << c.call;
    EXPECT_EQ(CountArenas(), 0) << c.call;
  }
}

TEST(ArenaFailureTest, PagesThatCannotBeReserved) {
  const absl::StatusOr<Arena> arena = Arena::Create(kBytes, {}, Reservation::kOnUse);
  ASSERT_TRUE(arena.ok() && arena->pages().on_use());
  g_failure = {.call = "madvise", .error = ENOMEM, .times = 1};
  const absl::Span<char> bytes(arena->data(), kBytes);
  EXPECT_THAT(arena->pages().Reserve(bytes),
              StatusIs(absl::StatusCode::kResourceExhausted, HasSubstr("free memory")));
  EXPECT_EQ(g_failure.times, 0);
  EXPECT_TRUE(arena->pages().Reserve(bytes).ok());
}

TEST(ArenaFailureTest, InterruptionsAndOlderKernelsDoNoHarm) {
  decltype(g_failure) kCases[] = {
      {"fallocate", EINTR, 3},
      {"madvise", EINTR, 3},
      {"memfd_create", EINVAL, 1},  // MFD_NOEXEC_SEAL is of Linux 6.3
      {"madvise", EINVAL, 1},       // MADV_POPULATE_WRITE is of Linux 5.14
  };
  for (const auto& failure : kCases) {
    g_failure = failure;
    EXPECT_TRUE(Arena::Create(kBytes, {}).ok()) << failure.call;
    EXPECT_EQ(g_failure.times, 0) << failure.call;
  }
}

}  // namespace
}  // namespace grpc_cxl::internal
