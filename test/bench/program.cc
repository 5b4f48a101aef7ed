#include "test/bench/program.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <sstream>

#include "absl/log/check.h"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "absl/time/time.h"

namespace grpc_cxl::bench {
namespace {

std::string Contents(const std::string& file) {
  std::ostringstream text;
  text << std::ifstream(file).rdbuf();
  return text.str();
}

// The session of a process that runs; 0 for a zombie or none at all.
pid_t SessionOf(pid_t pid) {
  const std::string stat = Contents(absl::StrCat("/proc/", pid, "/stat"));
  std::istringstream fields(stat.substr(stat.rfind(')') + 1));
  std::string state;
  pid_t parent = 0, group = 0, session = 0;
  fields >> state >> parent >> group >> session;
  return state == "Z" || state == "X" ? 0 : session;
}

std::vector<pid_t> Search(pid_t session, const std::string& text) {
  std::vector<pid_t> found;
  for (const auto& entry : std::filesystem::directory_iterator("/proc")) {
    pid_t pid;
    if (!absl::SimpleAtoi(entry.path().filename().string(), &pid)) continue;
    if (SessionOf(pid) == session &&
        absl::StrContains(Contents(absl::StrCat("/proc/", pid, "/cmdline")), text)) {
      found.push_back(pid);
    }
  }
  return found;
}

}  // namespace

std::unique_ptr<Program> Program::Start(const std::string& path, std::vector<std::string> flags) {
  absl::StatusOr<TemporaryDirectory> directory = TemporaryDirectory::Create();
  CHECK_OK(directory.status());
  int ends[2];
  PCHECK(pipe2(ends, O_CLOEXEC) == 0);
  internal::UniqueFd output(ends[0]), input(ends[1]);

  posix_spawn_file_actions_t files;
  posix_spawn_file_actions_init(&files);
  posix_spawn_file_actions_addopen(&files, 0, "/dev/null", O_RDONLY, 0);
  posix_spawn_file_actions_adddup2(&files, input.get(), 1);
  posix_spawn_file_actions_adddup2(&files, input.get(), 2);
  posix_spawnattr_t attributes;
  posix_spawnattr_init(&attributes);
  posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSID);

  std::vector<char*> argv = {const_cast<char*>(path.c_str())};
  for (std::string& flag : flags) argv.push_back(flag.data());
  argv.push_back(nullptr);
  PCHECK(setenv("TMPDIR", directory->path().c_str(), /*overwrite=*/1) == 0);
  pid_t pid = 0;
  errno = posix_spawn(&pid, path.c_str(), &files, &attributes, argv.data(), environ);
  PCHECK(errno == 0) << path;
  PCHECK(unsetenv("TMPDIR") == 0);
  posix_spawnattr_destroy(&attributes);
  posix_spawn_file_actions_destroy(&files);
  return std::unique_ptr<Program>(new Program(*std::move(directory), pid, std::move(output)));
}

Program::~Program() {
  for (pid_t pid : Search(pid_, "")) kill(pid, SIGKILL);
  if (!reaped_) waitpid(pid_, nullptr, 0);
}

bool Program::ReadOutput() {
  char buffer[4096];
  ssize_t length;
  do {
    length = read(pipe_.get(), buffer, sizeof(buffer));
  } while (length < 0 && errno == EINTR);
  PCHECK(length >= 0);
  output_.append(buffer, length);
  return length > 0;
}

bool Program::WaitForOutput(const std::string& text) {
  while (!absl::StrContains(output_, text)) {
    if (!ReadOutput()) return false;
  }
  return true;
}

int Program::Wait() {
  while (ReadOutput()) {
  }
  int status = 0;
  PCHECK(waitpid(pid_, &status, 0) == pid_);
  reaped_ = true;
  return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
}

std::vector<pid_t> Program::Processes(const std::string& text, size_t count) const {
  const absl::Time deadline = absl::Now() + absl::Seconds(10);
  for (;;) {
    std::vector<pid_t> found = Search(pid_, text);
    if (found.size() == count || absl::Now() > deadline) return found;
    absl::SleepFor(absl::Milliseconds(5));
  }
}

std::vector<std::string> Program::Files() const {
  std::vector<std::string> names;
  for (const auto& entry : std::filesystem::directory_iterator(directory_.path())) {
    names.push_back(entry.path().filename());
  }
  return names;
}

}  // namespace grpc_cxl::bench
