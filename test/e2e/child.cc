#include "test/e2e/child.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <utility>

#include "absl/log/check.h"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "absl/time/clock.h"

namespace grpc_cxl::e2e {
namespace {

// Among the runfiles when Bazel runs the test, else beside this program.
std::string TesteePath() {
  const char* runfiles = getenv("TEST_SRCDIR");
  const char* workspace = getenv("TEST_WORKSPACE");
  if (runfiles != nullptr && workspace != nullptr) {
    return absl::StrCat(runfiles, "/", workspace, "/test/e2e/e2e_child");
  }
  return std::filesystem::read_symlink("/proc/self/exe").replace_filename("e2e_child").string();
}

// {read end, write end}
std::pair<internal::UniqueFd, internal::UniqueFd> MakePipe() {
  int ends[2];
  PCHECK(pipe2(ends, O_CLOEXEC) == 0);
  return {internal::UniqueFd(ends[0]), internal::UniqueFd(ends[1])};
}

std::string Contents(const std::string& path) {
  std::stringstream text;
  text << std::ifstream(path).rdbuf();
  return text.str();
}

}  // namespace

Child::Child(const std::vector<std::string>& flags) {
  auto [their_input, our_input] = MakePipe();
  auto [our_output, their_output] = MakePipe();
  std::string path = TesteePath();
  std::vector<std::string> words = {path};
  words.insert(words.end(), flags.begin(), flags.end());
  std::vector<char*> argv;
  for (std::string& word : words) argv.push_back(word.data());
  argv.push_back(nullptr);

  posix_spawn_file_actions_t files;
  posix_spawn_file_actions_init(&files);
  posix_spawn_file_actions_adddup2(&files, their_input.get(), STDIN_FILENO);
  posix_spawn_file_actions_adddup2(&files, their_output.get(), STDOUT_FILENO);
  const int error = posix_spawn(&pid_, path.c_str(), &files, nullptr, argv.data(), environ);
  posix_spawn_file_actions_destroy(&files);
  CHECK_EQ(error, 0) << "cannot start " << path;
  input_ = std::move(our_input);
  output_ = std::move(our_output);
}

Child::~Child() {
  if (pid_ > 0) Kill();
}

std::optional<std::string> Child::ReadLine(absl::Duration timeout) {
  const absl::Time deadline = absl::Now() + timeout;
  for (;;) {
    if (const size_t end = read_.find('\n'); end != std::string::npos) {
      std::string line = read_.substr(0, end);
      read_.erase(0, end + 1);
      return line;
    }
    const absl::Duration left = std::max(deadline - absl::Now(), absl::ZeroDuration());
    pollfd readable = {output_.get(), POLLIN, 0};
    if (poll(&readable, 1, static_cast<int>(absl::ToInt64Milliseconds(left))) <= 0) {
      return std::nullopt;
    }
    char buffer[4096];
    const ssize_t size = read(output_.get(), buffer, sizeof(buffer));
    if (size <= 0) return std::nullopt;
    read_.append(buffer, size);
  }
}

int64_t Child::AllocatedBytes() {
  PCHECK(write(input_.get(), "?", 1) == 1);
  const std::optional<std::string> line = ReadLine();
  int64_t bytes = 0;
  CHECK(line.has_value() && absl::SimpleAtoi(absl::StripPrefix(*line, "heap "), &bytes))
      << "the child does not answer";
  return bytes;
}

void Child::Stop() {
  PCHECK(kill(pid_, SIGSTOP) == 0);
  int status;
  PCHECK(waitpid(pid_, &status, WUNTRACED) == pid_);
  CHECK(WIFSTOPPED(status)) << "the child ended instead of stopping";
}

void Child::Continue() { PCHECK(kill(pid_, SIGCONT) == 0); }

void Child::Kill() {
  PCHECK(kill(pid_, SIGKILL) == 0);
  Reap();
}

int Child::Finish() {
  input_.Reset();
  return Reap();
}

int Child::Reap() {
  int status;
  PCHECK(waitpid(pid_, &status, 0) == pid_);
  pid_ = -1;
  return WIFSIGNALED(status) ? -WTERMSIG(status) : WEXITSTATUS(status);
}

int CountOpenFiles(pid_t pid) {
  const std::filesystem::directory_iterator files(absl::StrCat("/proc/", pid, "/fd"));
  return static_cast<int>(std::distance(begin(files), end(files)));
}

int CountSharedMappings(pid_t pid) {
  std::istringstream maps(Contents(absl::StrCat("/proc/", pid, "/maps")));
  int count = 0;
  for (std::string line; std::getline(maps, line);) count += absl::StrContains(line, "memfd:");
  return count;
}

int64_t ResidentBytes(pid_t pid) {
  std::istringstream statm(Contents(absl::StrCat("/proc/", pid, "/statm")));
  int64_t total = 0, resident = 0;
  statm >> total >> resident;
  return resident * sysconf(_SC_PAGESIZE);
}

}  // namespace grpc_cxl::e2e
