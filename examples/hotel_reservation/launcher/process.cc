// SPDX-License-Identifier: Apache-2.0
#include "examples/hotel_reservation/launcher/process.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <fstream>
#include <sstream>
#include <utility>

#include "absl/log/check.h"
#include "absl/strings/str_cat.h"
#include "bench/harness/interrupt.h"

namespace hotel_reservation {
namespace {

constexpr size_t kLogTail = 2000;
constexpr int kCannotExecute = 127;

// In the child; calls only what is safe between fork() and exec().
[[noreturn]] void Become(char* const argv[], int log, pid_t parent) {
  setpgid(0, 0);
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  if (getppid() != parent) _exit(kCannotExecute);  // it has died before the prctl()
  sigset_t none;
  sigemptyset(&none);
  sigprocmask(SIG_SETMASK, &none, nullptr);  // CatchInterrupts() blocked some
  dup2(log, STDOUT_FILENO);
  dup2(log, STDERR_FILENO);
  execv(argv[0], argv);
  _exit(kCannotExecute);
}

int Milliseconds(absl::Duration timeout) {
  return static_cast<int>(absl::ToInt64Milliseconds(
      std::min(absl::Ceil(timeout, absl::Milliseconds(1)), absl::Hours(24))));
}

}  // namespace

absl::StatusOr<std::unique_ptr<Process>> Process::Start(std::string name,
                                                        const std::string& program,
                                                        const std::vector<std::string>& flags,
                                                        std::string log) {
  if (access(program.c_str(), X_OK) != 0) {
    return absl::NotFoundError(absl::StrCat("There is no program ", program,
                                            ": build all of //examples/hotel_reservation:demo."));
  }
  const int output = open(log.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_APPEND | O_CLOEXEC, 0600);
  if (output < 0) return absl::ErrnoToStatus(errno, absl::StrCat("Cannot write ", log));
  std::vector<char*> argv = {const_cast<char*>(program.c_str())};
  for (const std::string& flag : flags) argv.push_back(const_cast<char*>(flag.c_str()));
  argv.push_back(nullptr);

  const pid_t parent = getpid();
  const pid_t pid = fork();
  if (pid == 0) Become(argv.data(), output, parent);
  close(output);
  if (pid < 0) return absl::ErrnoToStatus(errno, absl::StrCat("Cannot start ", name));
  const int pid_fd = static_cast<int>(syscall(SYS_pidfd_open, pid, 0));
  PCHECK(pid_fd >= 0) << "pidfd_open (Linux 5.3 or newer is needed)";
  return std::unique_ptr<Process>(new Process(std::move(name), pid, pid_fd, std::move(log)));
}

Process::~Process() {
  Signal(SIGTERM);
  if (!Ended(absl::Seconds(3))) {
    Signal(SIGKILL);
    Ended(absl::InfiniteDuration());
  }
  close(pid_fd_);
}

void Process::Signal(int signal) const {
  if (!reaped_) kill(pid_, signal);
}

absl::Duration Process::CpuTime() const {
  clockid_t clock;
  timespec used = {};
  if (reaped_ || clock_getcpuclockid(pid_, &clock) != 0 || clock_gettime(clock, &used) != 0) {
    return absl::ZeroDuration();
  }
  return absl::DurationFromTimespec(used);
}

bool Process::Ended(absl::Duration timeout) {
  if (reaped_) return true;
  pollfd ended = {pid_fd_, POLLIN, 0};
  int ready;
  do {
    ready = poll(&ended, 1, Milliseconds(timeout));
  } while (ready < 0 && errno == EINTR);
  if (ready <= 0) return false;
  PCHECK(waitpid(pid_, &wait_status_, 0) == pid_);
  reaped_ = true;
  return true;
}

absl::Status Process::HowItEnded() const {
  CHECK(reaped_);
  if (WIFEXITED(wait_status_) && WEXITSTATUS(wait_status_) == 0) return absl::OkStatus();
  const std::string how = WIFSIGNALED(wait_status_)
                              ? absl::StrCat("was killed by signal ", WTERMSIG(wait_status_), " (",
                                             strsignal(WTERMSIG(wait_status_)), ")")
                              : absl::StrCat("ended with exit code ", WEXITSTATUS(wait_status_));
  std::string log = Output();
  if (log.size() > kLogTail) log = "... " + log.substr(log.size() - kLogTail);
  return absl::UnavailableError(
      absl::StrCat(name_, " (pid ", pid_, ") ", how,
                   log.empty() ? ". It printed nothing." : ". It printed:\n" + log));
}

std::string Process::Output() const {
  std::ostringstream text;
  text << std::ifstream(log_).rdbuf();
  return text.str();
}

absl::StatusOr<Process*> FirstToEnd(const std::vector<Process*>& processes,
                                    absl::Duration timeout) {
  std::vector<pollfd> fds = {{grpc_cxl::bench::InterruptFd(), POLLIN, 0}};
  for (const Process* process : processes) fds.push_back({process->pid_fd_, POLLIN, 0});
  int ready;
  do {
    ready = poll(fds.data(), fds.size(), Milliseconds(timeout));
  } while (ready < 0 && errno == EINTR);
  PCHECK(ready >= 0) << "poll";
  if (fds[0].revents != 0) return absl::CancelledError("Interrupted.");
  for (size_t i = 0; i < processes.size(); ++i) {
    if (fds[i + 1].revents != 0 && processes[i]->Ended(absl::InfiniteDuration())) {
      return processes[i];
    }
  }
  return nullptr;
}

}  // namespace hotel_reservation
