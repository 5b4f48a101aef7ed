// SPDX-License-Identifier: Apache-2.0
#include "bench/harness/child_process.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <utility>

#include "absl/log/check.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "bench/harness/interrupt.h"
#include "bench/harness/message_socket.h"

namespace grpc_cxl::bench {
namespace {

// Starts this program again with `control` as its kControlFd; returns the pid.
absl::StatusOr<pid_t> Spawn(const std::vector<std::string>& flags, int control) {
  std::vector<char*> argv = {program_invocation_name};
  for (const std::string& flag : flags) argv.push_back(const_cast<char*>(flag.c_str()));
  argv.push_back(nullptr);

  posix_spawn_file_actions_t files;
  posix_spawn_file_actions_init(&files);
  posix_spawn_file_actions_adddup2(&files, control, kControlFd);
  posix_spawnattr_t attributes;
  posix_spawnattr_init(&attributes);
  sigset_t none;
  sigemptyset(&none);
  posix_spawnattr_setsigmask(&attributes, &none);  // CatchInterrupts() blocked some
  posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETPGROUP);

  pid_t pid = 0;
  const int error = posix_spawn(&pid, "/proc/self/exe", &files, &attributes, argv.data(), environ);
  posix_spawnattr_destroy(&attributes);
  posix_spawn_file_actions_destroy(&files);
  if (error != 0) return absl::ErrnoToStatus(error, "Cannot start a process of this program");
  return pid;
}

std::string HowItEnded(int wait_status) {
  if (WIFSIGNALED(wait_status)) {
    const int signal = WTERMSIG(wait_status);
    return absl::StrCat("was killed by signal ", signal, " (", strsignal(signal), ")");
  }
  return absl::StrCat("ended with exit code ", WEXITSTATUS(wait_status));
}

// The first of `fds` that is ready, or -1 after `timeout` (at most a day).
int FirstReady(std::vector<pollfd> fds, absl::Duration timeout) {
  timeout = std::min(absl::Ceil(timeout, absl::Milliseconds(1)), absl::Hours(24));
  int ready;
  do {
    ready = poll(fds.data(), fds.size(), static_cast<int>(absl::ToInt64Milliseconds(timeout)));
  } while (ready < 0 && errno == EINTR);
  PCHECK(ready >= 0) << "poll";
  for (const pollfd& fd : fds) {
    if (fd.revents != 0) return fd.fd;
  }
  return -1;
}

}  // namespace

absl::StatusOr<std::unique_ptr<ChildProcess>> ChildProcess::Start(
    std::string what, const std::vector<std::string>& flags, absl::Duration grace_period) {
  int ends[2];
  if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) != 0) {
    return absl::ErrnoToStatus(errno, "socketpair");
  }
  internal::UniqueFd ours(ends[0]), theirs(ends[1]);
  const absl::StatusOr<pid_t> pid = Spawn(flags, theirs.get());
  if (!pid.ok()) return pid.status();
  internal::UniqueFd pid_fd(static_cast<int>(syscall(SYS_pidfd_open, *pid, 0)));
  PCHECK(pid_fd) << "pidfd_open (Linux 5.3 or newer is needed)";
  return std::unique_ptr<ChildProcess>(
      new ChildProcess(std::move(what), *pid, grace_period, std::move(ours), std::move(pid_fd)));
}

ChildProcess::~ChildProcess() {
  control_.Reset();
  if (Ended(grace_period_).ok()) {
    kill(pid_, SIGKILL);
    Ended(absl::InfiniteDuration()).IgnoreError();
  }
}

absl::Status ChildProcess::Send(const Request& request) {
  const absl::Status sent = SendMessage(control_.get(), request);
  if (sent.ok()) return sent;
  const absl::Status ended = Ended(absl::Seconds(1));
  return ended.ok() ? sent : ended;
}

absl::StatusOr<Reply> ChildProcess::Receive(absl::Duration timeout, ChildProcess* companion) {
  const int companion_fd = companion == nullptr ? -1 : companion->pid_fd_.get();
  const int ready = FirstReady(
      {{InterruptFd(), POLLIN, 0}, {companion_fd, POLLIN, 0}, {control_.get(), POLLIN, 0}},
      timeout);
  if (ready < 0) {
    return absl::DeadlineExceededError(absl::StrFormat("The %s (pid %d) has not answered for %s.",
                                                       what_, pid_, absl::FormatDuration(timeout)));
  }
  if (ready == InterruptFd()) return absl::CancelledError("Interrupted.");
  if (ready == companion_fd) return companion->Ended(absl::ZeroDuration());

  Reply reply;
  const absl::StatusOr<bool> received = ReceiveMessage(control_.get(), reply);
  if (!received.ok()) return received.status();
  if (!*received) {
    const absl::Status ended = Ended(absl::Seconds(1));
    return ended.ok() ? absl::InternalError(absl::StrCat("The ", what_, " hung up.")) : ended;
  }
  if (reply.has_error()) {
    // The companion's death, if there was one, is the cause of the error.
    const absl::Status ended =
        companion == nullptr ? absl::OkStatus() : companion->Ended(absl::Milliseconds(200));
    if (!ended.ok()) return ended;
    return absl::AbortedError(absl::StrFormat("The %s (pid %d): %s", what_, pid_, reply.error()));
  }
  return reply;
}

absl::StatusOr<Reply> ChildProcess::Ask(const Request& request, absl::Duration timeout,
                                        ChildProcess* companion) {
  if (absl::Status sent = Send(request); !sent.ok()) return sent;
  return Receive(timeout, companion);
}

absl::Status ChildProcess::Ended(absl::Duration timeout) {
  if (!ended_.ok()) return ended_;
  if (FirstReady({{pid_fd_.get(), POLLIN, 0}}, timeout) < 0) return absl::OkStatus();
  int wait_status = 0;
  PCHECK(waitpid(pid_, &wait_status, 0) == pid_);
  ended_ = absl::UnavailableError(
      absl::StrFormat("The %s (pid %d) %s.", what_, pid_, HowItEnded(wait_status)));
  return ended_;
}

}  // namespace grpc_cxl::bench
