// SPDX-License-Identifier: Apache-2.0
#include "test/support/spawned_child.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <sstream>
#include <utility>

#include "absl/log/check.h"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "test/support/await_readable.h"

namespace grpc_cxl::internal {
namespace {

// {read end, write end}
std::pair<UniqueFd, UniqueFd> MakePipe() {
  int ends[2];
  PCHECK(pipe2(ends, O_CLOEXEC) == 0);
  return {UniqueFd(ends[0]), UniqueFd(ends[1])};
}

std::vector<std::string> Environment(
    const std::map<std::string, std::optional<std::string>>& changes) {
  std::vector<std::string> result;
  for (char** variable = environ; *variable != nullptr; ++variable) {
    const std::string text = *variable;
    if (!changes.contains(text.substr(0, text.find('=')))) result.push_back(text);
  }
  for (const auto& [name, value] : changes) {
    if (value.has_value()) result.push_back(absl::StrCat(name, "=", *value));
  }
  return result;
}

std::vector<char*> Pointers(std::vector<std::string>& strings) {
  std::vector<char*> pointers;
  for (std::string& string : strings) pointers.push_back(string.data());
  pointers.push_back(nullptr);
  return pointers;
}

// Processes of `session` whose command line contains `text`.
std::vector<pid_t> Search(pid_t session, const std::string& text) {
  std::vector<pid_t> found;
  for (const auto& entry : std::filesystem::directory_iterator("/proc")) {
    pid_t pid;
    if (!absl::SimpleAtoi(entry.path().filename().string(), &pid)) continue;
    if (getsid(pid) != session) continue;
    std::ostringstream command;  // of a zombie: empty
    command << std::ifstream(entry.path() / "cmdline").rdbuf();
    if (!command.str().empty() && absl::StrContains(command.str(), text)) found.push_back(pid);
  }
  return found;
}

}  // namespace

SpawnedChild::SpawnedChild(const std::string& program, const std::vector<std::string>& arguments,
                           const SpawnOptions& options) {
  auto [their_input, our_input] = MakePipe();
  auto [our_output, their_output] = MakePipe();
  posix_spawn_file_actions_t files;
  posix_spawn_file_actions_init(&files);
  posix_spawn_file_actions_adddup2(&files, their_input.get(), STDIN_FILENO);
  posix_spawn_file_actions_adddup2(&files, their_output.get(), STDOUT_FILENO);
  if (options.read_stderr) {
    posix_spawn_file_actions_adddup2(&files, their_output.get(), STDERR_FILENO);
  }
  posix_spawnattr_t attributes;
  posix_spawnattr_init(&attributes);
  posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSID);
  std::vector<std::string> words = {program}, environment = Environment(options.environment);
  words.insert(words.end(), arguments.begin(), arguments.end());
  errno = posix_spawn(&pid_, program.c_str(), &files, &attributes, Pointers(words).data(),
                      Pointers(environment).data());
  PCHECK(errno == 0) << program;
  posix_spawnattr_destroy(&attributes);
  posix_spawn_file_actions_destroy(&files);
  ended_ = UniqueFd(static_cast<int>(syscall(SYS_pidfd_open, pid_, 0)));
  PCHECK(ended_) << "pidfd_open";
  input_ = std::move(our_input);
  pipe_ = std::move(our_output);
}

SpawnedChild::~SpawnedChild() {
  for (const pid_t pid : Search(pid_, "")) kill(pid, SIGKILL);
  if (!result_.has_value()) Reap();
}

void SpawnedChild::Write(std::string_view text) {
  PCHECK(write(input_.get(), text.data(), text.size()) == static_cast<ssize_t>(text.size()));
}

std::optional<std::string> SpawnedChild::ReadLine(absl::Duration timeout) {
  const absl::Time deadline = absl::Now() + timeout;
  size_t end;
  while ((end = output_.find('\n', lines_read_)) == std::string::npos) {
    if (!ReadMore(deadline)) return std::nullopt;
  }
  const size_t begin = std::exchange(lines_read_, end + 1);
  return output_.substr(begin, end - begin);
}

bool SpawnedChild::ReadUntil(std::string_view text, absl::Duration timeout) {
  const absl::Time deadline = absl::Now() + timeout;
  while (!absl::StrContains(output_, text)) {
    if (!ReadMore(deadline)) return false;
  }
  return true;
}

void SpawnedChild::Stop() {
  PCHECK(kill(pid_, SIGSTOP) == 0);
  int status;
  PCHECK(waitpid(pid_, &status, WUNTRACED) == pid_);
  CHECK(WIFSTOPPED(status)) << "the child ended instead of stopping";
}

void SpawnedChild::Continue() { PCHECK(kill(pid_, SIGCONT) == 0); }

void SpawnedChild::Kill() {
  PCHECK(kill(pid_, SIGKILL) == 0);
  Reap();
}

std::optional<int> SpawnedChild::Finish(absl::Duration timeout) {
  if (result_.has_value()) return result_;
  const absl::Time deadline = absl::Now() + timeout;
  input_.Reset();
  while (ReadMore(deadline)) {
  }
  if (!AwaitReadable(ended_.get(), deadline - absl::Now())) return std::nullopt;
  return Reap();
}

std::vector<pid_t> SpawnedChild::Processes(const std::string& text, size_t count) const {
  const absl::Time deadline = absl::Now() + absl::Seconds(10);
  for (;;) {
    std::vector<pid_t> found = Search(pid_, text);
    if (found.size() == count || absl::Now() > deadline) return found;
    absl::SleepFor(absl::Milliseconds(5));
  }
}

bool SpawnedChild::ReadMore(absl::Time deadline) {
  if (!AwaitReadable(pipe_.get(), deadline - absl::Now())) return false;
  char buffer[4096];
  const ssize_t length = read(pipe_.get(), buffer, sizeof(buffer));
  PCHECK(length >= 0);
  output_.append(buffer, length);
  return length > 0;
}

int SpawnedChild::Reap() {
  int status;
  PCHECK(waitpid(pid_, &status, 0) == pid_);
  result_ = WIFSIGNALED(status) ? -WTERMSIG(status) : WEXITSTATUS(status);
  return *result_;
}

}  // namespace grpc_cxl::internal
