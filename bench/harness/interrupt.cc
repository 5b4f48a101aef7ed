// SPDX-License-Identifier: Apache-2.0
#include "bench/harness/interrupt.h"

#include <signal.h>
#include <sys/signalfd.h>

#include "absl/log/check.h"

namespace grpc_cxl::bench {
namespace {

int interrupt_fd = -1;

}  // namespace

void CatchInterrupts() {
  sigset_t signals;
  sigemptyset(&signals);
  for (int signal : {SIGINT, SIGTERM, SIGHUP}) sigaddset(&signals, signal);
  PCHECK(sigprocmask(SIG_BLOCK, &signals, nullptr) == 0);
  interrupt_fd = signalfd(-1, &signals, SFD_CLOEXEC);
  PCHECK(interrupt_fd >= 0);
}

int InterruptFd() { return interrupt_fd; }

}  // namespace grpc_cxl::bench
