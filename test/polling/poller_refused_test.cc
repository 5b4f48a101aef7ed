// SPDX-License-Identifier: Apache-2.0
// Proves that a poller lives with a kernel that refuses: a descriptor that cannot be watched is an
// answer, and without epoll_pwait2() naps are longer, not sleepless.
#include <fcntl.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>

#include <memory>

#include "absl/log/check.h"
#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "grpc_cxl/base/unique_fd.h"
#include "gtest/gtest.h"
#include "test/polling/fake_pollable.h"
#include "test/support/eventually.h"

namespace grpc_cxl::internal {
namespace {

TEST(PollerRefusedTest, ADescriptorThatCannotBeWatched) {
  class Unwatchable final : public Pollable {
   public:
    int fd() const override { return file_.get(); }
    void OnFdReadable() override {}

   private:
    const UniqueFd file_{open("/proc/self/exe", O_RDONLY | O_CLOEXEC)};  // epoll_ctl: EPERM
  };
  const auto pollable = std::make_shared<Unwatchable>();
  EXPECT_FALSE(OnePoller()->Add(pollable));
  EXPECT_EQ(pollable.use_count(), 1);
  OnePoller()->Remove(pollable.get());
}

// How often threads of this process have slept. A thread that spins does not, and on a busy machine
// it has little CPU time either.
int64_t Sleeps() {
  rusage usage;
  PCHECK(getrusage(RUSAGE_SELF, &usage) == 0);
  return usage.ru_nvcsw;
}

// As a container's filter from before Linux 5.11 does.
TEST(PollerRefusedTest, NapsWithoutEpollPwait2) {
  sock_filter filter[] = {
      BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(seccomp_data, nr)),
      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_epoll_pwait2, 0, 1),
      BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EPERM),
      BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
  };
  const sock_fprog program{4, filter};
  if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0 ||
      prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) != 0) {
    GTEST_SKIP() << "no filters of system calls here";
  }
  auto* const watchdog = new Watchdog(1, 1);  // its threads inherit the filter
  const auto pollable = std::make_shared<FakePollable>();
  pollable->has_fd = false;
  ASSERT_TRUE(watchdog->Assign()->Add(pollable));
  ASSERT_TRUE(Eventually([&] { return pollable->naps > 0; }));
  const int64_t before = Sleeps();
  absl::SleepFor(absl::Seconds(1));
  EXPECT_GT(Sleeps() - before, 50);  // of about 1000
  pollable->OfferWork();
  EXPECT_TRUE(Eventually([&] { return pollable->run_calls == 1; }));
}

}  // namespace
}  // namespace grpc_cxl::internal
