// SPDX-License-Identifier: Apache-2.0
// Proves that a client is told so when its server has no memory for the connection, in place of a
// Welcome to a connection that ends at once.

#include <errno.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <signal.h>
#include <stddef.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "absl/log/check.h"
#include "gmock/gmock.h"
#include "grpc_cxl/arena/arena.h"
#include "grpc_cxl/rendezvous/dial.h"
#include "grpc_cxl/rendezvous/handshake.h"
#include "gtest/gtest.h"
#include "test/event_engine/test_server.h"
#include "test/rendezvous/at.h"
#include "test/support/await_readable.h"
#include "test/support/forked_child.h"

namespace grpc_cxl::internal {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;

// From here on no thread of this process can reserve a page (MADV_POPULATE_WRITE); for good.
bool HaveNoMemory() {
  sock_filter filter[] = {
      BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(seccomp_data, nr)),
      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_madvise, 0, 3),
      BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(seccomp_data, args[2])),
      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, /*MADV_POPULATE_WRITE=*/23, 0, 1),
      BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | ENOMEM),
      BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
  };
  const sock_fprog program{6, filter};
  return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 &&
         syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_TSYNC, &program) == 0;
}

class NoMemoryTest : public EngineTest {};

TEST_F(NoMemoryTest, TheClientIsRefusedWithTheReason) {
  if (!Arena::CanReserveOnUse({})) GTEST_SKIP() << "the kernel is older than 5.14";
  TestServer server;
  Start(server);
  ForkedChild client([&] {
    raise(SIGSTOP);
    const absl::StatusOr<UniqueFd> socket =
        Dial(At(directory_.path()), *ServiceName::Parse("payments"));
    CHECK_OK(socket);
    CHECK_OK(SendHello(socket->get(), kDirectCalls));
    CHECK(AwaitReadable(socket->get()));
    return ReceiveWelcome(socket->get(), {}).status().ToString();
  });
  if (!HaveNoMemory()) GTEST_SKIP() << "no filters of system calls here";
  client.AwaitStopAndContinue();
  EXPECT_THAT(client.Join(), AllOf(HasSubstr("cannot reserve"), HasSubstr("free memory")));
}

}  // namespace
}  // namespace grpc_cxl::internal
