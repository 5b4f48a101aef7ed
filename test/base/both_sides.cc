#include "test/base/both_sides.h"

#include <errno.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdio>
#include <string_view>
#include <thread>

#include "absl/log/check.h"
#include "absl/strings/str_cat.h"
#include "grpc_cxl/base/unique_fd.h"

namespace grpc_cxl::internal {
namespace {

std::string Both(std::string here, std::string there) {
  if (!here.empty()) here = absl::StrCat("here: ", here);
  if (!there.empty()) there = absl::StrCat("there: ", there);
  return absl::StrCat(here, here.empty() || there.empty() ? "" : "; ", there);
}

std::string ReadAll(int fd) {
  std::string all;
  char part[4096];
  while (true) {
    const ssize_t got = read(fd, part, sizeof(part));
    if (got > 0) all.append(part, got);
    if (got == 0 || (got < 0 && errno != EINTR)) return all;
  }
}

void WriteAll(int fd, std::string_view text) {
  while (!text.empty()) {
    const ssize_t sent = write(fd, text.data(), text.size());
    if (sent < 0 && errno != EINTR) return;
    if (sent > 0) text.remove_prefix(sent);
  }
}

}  // namespace

std::string RunBothSides(World world, const std::function<std::string()>& here,
                         const std::function<std::string()>& there) {
  if (world == World::kThreads) {
    std::string from_there;
    std::thread thread([&] { from_there = there(); });
    const std::string from_here = here();
    thread.join();
    return Both(from_here, from_there);
  }
  int ends[2];
  CHECK_EQ(pipe(ends), 0) << strerror(errno);
  UniqueFd result(ends[0]), child_result(ends[1]);
  fflush(nullptr);
  const pid_t child = fork();
  CHECK_GE(child, 0) << strerror(errno);
  if (child == 0) {
    result.Reset();
    WriteAll(child_result.get(), there());
    _exit(0);  // not exit(): the parent's atexit handlers are not ours to run
  }
  child_result.Reset();
  const std::string from_here = here();
  std::string from_there = ReadAll(result.get());
  int status = 0;
  while (waitpid(child, &status, 0) < 0 && errno == EINTR) {
  }
  if (WIFSIGNALED(status)) {
    absl::StrAppend(&from_there, "killed by signal ", WTERMSIG(status));
  } else if (WEXITSTATUS(status) != 0) {  // a sanitizer's way to say that it found something
    absl::StrAppend(&from_there, "exit status ", WEXITSTATUS(status));
  }
  return Both(from_here, from_there);
}

}  // namespace grpc_cxl::internal
