#include "test/rendezvous/stepped_child.h"

#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/user.h>
#include <sys/wait.h>
#include <unistd.h>

#include <string>

#include "absl/functional/function_ref.h"
#include "absl/log/check.h"
#include "absl/strings/str_cat.h"

namespace grpc_cxl::internal {
namespace {

// How a stop at a system call looks with PTRACE_O_TRACESYSGOOD.
constexpr int kSystemCall = SIGTRAP | 0x80;

int Wait(pid_t pid) {
  int status;
  pid_t waited;
  do {
    waited = waitpid(pid, &status, 0);
  } while (waited < 0 && errno == EINTR);
  PCHECK(waited == pid);
  return status;
}

}  // namespace

std::string SteppedChild::WhyNot() {
  const pid_t probe = fork();
  PCHECK(probe >= 0);
  if (probe == 0) _exit(ptrace(PTRACE_TRACEME, 0, nullptr, nullptr) == 0 ? 0 : errno);
  const int error = WEXITSTATUS(Wait(probe));
  return error == 0 ? "" : absl::StrCat("ptrace is not permitted here: ", strerror(error));
}

SteppedChild::SteppedChild(absl::FunctionRef<int()> body) {
  pid_ = fork();
  PCHECK(pid_ >= 0);
  if (pid_ == 0) {
    if (ptrace(PTRACE_TRACEME, 0, nullptr, nullptr) != 0) _exit(126);
    raise(SIGSTOP);
    _exit(body());
  }
  CHECK(WIFSTOPPED(Wait(pid_))) << WhyNot();
  PCHECK(ptrace(PTRACE_SETOPTIONS, pid_, nullptr, PTRACE_O_TRACESYSGOOD | PTRACE_O_EXITKILL) == 0);
}

SteppedChild::~SteppedChild() {
  if (!ended_) Kill();
}

bool SteppedChild::Step() { return Resume(PTRACE_SYSCALL); }

#if defined(__x86_64__)

long SteppedChild::NextSystemCall() {
  __ptrace_syscall_info info;
  do {
    if (!Step()) return -1;
    PCHECK(ptrace(PTRACE_GET_SYSCALL_INFO, pid_, sizeof(info), &info) > 0);
  } while (info.op != PTRACE_SYSCALL_INFO_ENTRY);
  return info.entry.nr;
}

void SteppedChild::FailSystemCall(int error) {
  user_regs_struct registers;
  PCHECK(ptrace(PTRACE_GETREGS, pid_, nullptr, &registers) == 0);
  registers.orig_rax = -1;  // no such call
  PCHECK(ptrace(PTRACE_SETREGS, pid_, nullptr, &registers) == 0);
  CHECK(Step());
  PCHECK(ptrace(PTRACE_GETREGS, pid_, nullptr, &registers) == 0);
  registers.rax = -error;
  PCHECK(ptrace(PTRACE_SETREGS, pid_, nullptr, &registers) == 0);
}

#endif

int SteppedChild::Finish() {
  while (Resume(PTRACE_CONT)) {
  }
  return exit_code_;
}

bool SteppedChild::Resume(int request) {
  int signal = 0;
  while (!ended_) {
    PCHECK(ptrace(static_cast<__ptrace_request>(request), pid_, nullptr, signal) == 0);
    const int status = Wait(pid_);
    if (!WIFSTOPPED(status)) {
      ended_ = true;
      if (WIFEXITED(status)) exit_code_ = WEXITSTATUS(status);
    } else if (WSTOPSIG(status) == kSystemCall) {
      return true;
    } else {
      signal = WSTOPSIG(status);  // a signal of its own: hand it on
    }
  }
  return false;
}

void SteppedChild::Kill() {
  PCHECK(kill(pid_, SIGKILL) == 0);
  CHECK(WIFSIGNALED(Wait(pid_)));
  ended_ = true;
}

}  // namespace grpc_cxl::internal
