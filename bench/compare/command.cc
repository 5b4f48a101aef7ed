// SPDX-License-Identifier: Apache-2.0
#include "bench/compare/command.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "absl/log/check.h"
#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "bench/harness/interrupt.h"
#include "grpc_cxl/base/unique_fd.h"

namespace grpc_cxl::bench {
namespace {

constexpr absl::Duration kGracePeriod = absl::Seconds(15);  // Bazel ends its actions meanwhile

// Starts the command, keeps its output in the pipe `output`; returns its pid.
absl::StatusOr<pid_t> Spawn(const Command& command, int output) {
  std::vector<char*> argv;
  for (const std::string& word : command.argv) argv.push_back(const_cast<char*>(word.c_str()));
  argv.push_back(nullptr);

  posix_spawn_file_actions_t files;
  posix_spawn_file_actions_init(&files);
  posix_spawn_file_actions_addopen(&files, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
  const bool shown = command.output == Output::kShown;
  posix_spawn_file_actions_adddup2(&files, shown ? STDERR_FILENO : output, STDOUT_FILENO);
  if (command.output == Output::kKept) {
    posix_spawn_file_actions_adddup2(&files, output, STDERR_FILENO);
  } else if (command.output == Output::kErrorsDropped) {
    posix_spawn_file_actions_addopen(&files, STDERR_FILENO, "/dev/null", O_WRONLY, 0);
  }
  if (!command.directory.empty()) {
    posix_spawn_file_actions_addchdir_np(&files, command.directory.c_str());
  }
  posix_spawnattr_t attributes;
  posix_spawnattr_init(&attributes);
  sigset_t none;
  sigemptyset(&none);
  posix_spawnattr_setsigmask(&attributes, &none);  // CatchInterrupts() blocked some
  posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETPGROUP);

  pid_t pid = 0;
  const int error = posix_spawnp(&pid, argv[0], &files, &attributes, argv.data(), environ);
  posix_spawnattr_destroy(&attributes);
  posix_spawn_file_actions_destroy(&files);
  if (error != 0) return absl::ErrnoToStatus(error, absl::StrCat("Cannot run ", argv[0]));
  return pid;
}

// Appends what is in the pipe; false at its end.
bool ReadAvailable(int pipe, std::string& output) {
  char bytes[4096];
  ssize_t count;
  while ((count = read(pipe, bytes, sizeof(bytes))) > 0) output.append(bytes, count);
  return count < 0;
}

int ExitCode(int wait_status) {
  return WIFSIGNALED(wait_status) ? 128 + WTERMSIG(wait_status) : WEXITSTATUS(wait_status);
}

}  // namespace

absl::StatusOr<CommandResult> Run(const Command& command) {
  int ends[2];
  if (pipe2(ends, O_CLOEXEC) != 0) return absl::ErrnoToStatus(errno, "pipe");
  internal::UniqueFd ours(ends[0]), theirs(ends[1]);
  PCHECK(fcntl(ours.get(), F_SETFL, O_NONBLOCK) == 0);
  const absl::StatusOr<pid_t> pid = Spawn(command, theirs.get());
  if (!pid.ok()) return pid.status();
  theirs.Reset();
  const internal::UniqueFd ended(static_cast<int>(syscall(SYS_pidfd_open, *pid, 0)));
  PCHECK(ended) << "pidfd_open (Linux 5.3 or newer is needed)";

  CommandResult result;
  const bool interruptible = !command.runs_to_its_end;
  absl::Time kill_at = absl::InfiniteFuture();
  bool interrupted = false;
  // Its end counts, not that of the pipe, which a Bazel server would hold open.
  pollfd fds[] = {{ended.get(), POLLIN, 0},
                  {ours.get(), POLLIN, 0},
                  {interruptible ? InterruptFd() : -1, POLLIN, 0}};
  while (fds[0].revents == 0) {
    PCHECK(poll(fds, 3, interrupted ? 100 : -1) >= 0 || errno == EINTR);
    if (fds[1].revents != 0 && !ReadAvailable(ours.get(), result.output)) fds[1].fd = -1;
    if (fds[2].revents != 0) {
      interrupted = true;
      fds[2] = {-1, 0, 0};
      kill(-*pid, SIGINT);
      kill_at = absl::Now() + kGracePeriod;
    }
    if (absl::Now() > kill_at) kill(-*pid, SIGKILL);
  }
  int wait_status = 0;
  PCHECK(waitpid(*pid, &wait_status, 0) == *pid);
  if (interrupted) return absl::CancelledError("Interrupted.");
  ReadAvailable(ours.get(), result.output);
  result.exit_code = ExitCode(wait_status);
  return result;
}

}  // namespace grpc_cxl::bench
