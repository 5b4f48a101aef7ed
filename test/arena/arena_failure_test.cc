// Proves that every system call under an arena may fail: the status carries the reason, and
// no file descriptor or mapping is left behind. An interrupted call is made again.

#include <errno.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <string>

#include "absl/status/status_matchers.h"
#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "grpc_cxl/arena/arena.h"
#include "gtest/gtest.h"
#include "test/arena/process_state.h"

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
  return Fails("madvise") ? -1 : syscall(SYS_madvise, data, size, advice);
}

}  // extern "C"

namespace grpc_cxl::internal {
namespace {

using ::absl_testing::StatusIs;
using ::testing::HasSubstr;

constexpr size_t kBytes = size_t{1} << 20;

struct Failure {
  const char* call;
  int error;
  absl::StatusCode code;
  const char* text;
};

class ArenaFailureTest : public ::testing::TestWithParam<Failure> {};

TEST_P(ArenaFailureTest, IsReportedAndLeavesNothing) {
  const int files = OpenFiles();
  g_failure = {.call = GetParam().call, .error = GetParam().error, .times = 1};
  EXPECT_THAT(Arena::Create(kBytes, {}), StatusIs(GetParam().code, HasSubstr(GetParam().text)));
  EXPECT_EQ(g_failure.times, 0) << "the call was not made";
  EXPECT_EQ(OpenFiles(), files);
  EXPECT_EQ(MappedArenas(), 0);
}

constexpr auto kExhausted = absl::StatusCode::kResourceExhausted;

INSTANTIATE_TEST_SUITE_P(
    Calls, ArenaFailureTest,
    ::testing::Values(Failure{"memfd_create", EMFILE, kExhausted, "Too many open files"},
                      Failure{"memfd_create", ENOMEM, kExhausted, "memfd_create"},
                      Failure{"memfd_create", ENOSYS, absl::StatusCode::kUnimplemented,
                              "memfd_create"},
                      Failure{"ftruncate", EFBIG, kExhausted, "cannot reserve 1048576 bytes"},
                      Failure{"fallocate", ENOSPC, kExhausted, "No space left"},
                      Failure{"fallocate", ENOMEM, kExhausted, "free memory or raise its limit"},
                      Failure{"madvise", ENOMEM, kExhausted, "cannot bring the 1048576 bytes"},
                      Failure{"madvise", EFAULT, kExhausted, "populating"}),
    [](const ::testing::TestParamInfo<Failure>& info) {
      return absl::StrCat(info.param.call, "_", info.param.error);
    });

TEST(ArenaFailureTest, InterruptedCallsAreMadeAgain) {
  for (const char* call : {"fallocate", "madvise"}) {
    g_failure = {.call = call, .error = EINTR, .times = 3};
    EXPECT_TRUE(Arena::Create(kBytes, {}).ok()) << call;
    EXPECT_EQ(g_failure.times, 0);
  }
}

TEST(ArenaFailureTest, OlderKernelsDoWithout) {
  // EINVAL: MFD_NOEXEC_SEAL is of Linux 6.3, MADV_POPULATE_WRITE of 5.14.
  for (const char* call : {"memfd_create", "madvise"}) {
    g_failure = {.call = call, .error = EINVAL, .times = 1};
    EXPECT_TRUE(Arena::Create(kBytes, {}).ok()) << call;
    EXPECT_EQ(g_failure.times, 0);
  }
}

}  // namespace
}  // namespace grpc_cxl::internal
