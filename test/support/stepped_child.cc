// SPDX-License-Identifier: Apache-2.0
#include "test/support/stepped_child.h"

#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/user.h>
#include <sys/wait.h>
#include <unistd.h>

#include "absl/log/check.h"
#include "absl/strings/str_cat.h"

namespace grpc_cxl::internal {
namespace {

// How a stop at a system call looks with PTRACE_O_TRACESYSGOOD.
constexpr int kSystemCall = SIGTRAP | 0x80;

std::string BeTraced() {
  if (ptrace(PTRACE_TRACEME, 0, nullptr, nullptr) == 0) return "";
  return absl::StrCat("ptrace is not permitted here: ", strerror(errno));
}

}  // namespace

std::string SteppedChild::WhyNot() { return ForkedChild(BeTraced).Join(); }

SteppedChild::SteppedChild(absl::FunctionRef<std::string()> body)
    : ForkedChild([&] {
        if (const std::string why = BeTraced(); !why.empty()) return why;
        raise(SIGSTOP);
        return body();
      }) {
  CHECK(WIFSTOPPED(Wait())) << WhyNot();
  PCHECK(ptrace(PTRACE_SETOPTIONS, pid(), nullptr, PTRACE_O_TRACESYSGOOD | PTRACE_O_EXITKILL) == 0);
}

bool SteppedChild::Step() { return Resume(PTRACE_SYSCALL); }

bool SteppedChild::Step(int times) {
  while (times > 0 && Step()) --times;
  return times == 0;
}

#if defined(__x86_64__)

long SteppedChild::NextSystemCall() {
  __ptrace_syscall_info info;
  do {
    if (!Step()) return -1;
    PCHECK(ptrace(PTRACE_GET_SYSCALL_INFO, pid(), sizeof(info), &info) > 0);
  } while (info.op != PTRACE_SYSCALL_INFO_ENTRY);
  return info.entry.nr;
}

void SteppedChild::FailSystemCall(int error) {
  user_regs_struct registers;
  PCHECK(ptrace(PTRACE_GETREGS, pid(), nullptr, &registers) == 0);
  registers.orig_rax = -1;  // no such call
  PCHECK(ptrace(PTRACE_SETREGS, pid(), nullptr, &registers) == 0);
  CHECK(Step());
  PCHECK(ptrace(PTRACE_GETREGS, pid(), nullptr, &registers) == 0);
  registers.rax = -error;
  PCHECK(ptrace(PTRACE_SETREGS, pid(), nullptr, &registers) == 0);
}

#endif

std::string SteppedChild::Finish() {
  while (Resume(PTRACE_CONT)) {
  }
  return Join();
}

bool SteppedChild::Resume(int request) {
  int signal = 0;
  while (!wait_status_.has_value()) {
    PCHECK(ptrace(static_cast<__ptrace_request>(request), pid(), nullptr, signal) == 0);
    const int status = Wait();
    if (!WIFSTOPPED(status)) {
      wait_status_ = status;
    } else if (WSTOPSIG(status) == kSystemCall) {
      return true;
    } else {
      signal = WSTOPSIG(status);  // a signal of its own: hand it on
    }
  }
  return false;
}

}  // namespace grpc_cxl::internal
