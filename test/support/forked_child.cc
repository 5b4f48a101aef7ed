// SPDX-License-Identifier: Apache-2.0
#include "test/support/forked_child.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdio>

#include "absl/log/check.h"
#include "absl/strings/str_cat.h"
#include "absl/time/time.h"
#include "test/support/await_readable.h"

namespace grpc_cxl::internal {
namespace {

// All three ids, so that there is no way back and SO_PEERCRED shows the new one.
bool BecomeUser(uid_t uid) {
  return setgroups(0, nullptr) == 0 && setresgid(uid, uid, uid) == 0 &&
         setresuid(uid, uid, uid) == 0;
}

}  // namespace

ForkedChild::ForkedChild(absl::FunctionRef<std::string()> body) : ForkedChild(geteuid(), body) {}

ForkedChild::ForkedChild(uid_t uid, absl::FunctionRef<std::string()> body) {
  int ends[2];
  PCHECK(pipe2(ends, O_CLOEXEC) == 0);
  result_ = UniqueFd(ends[0]);
  const UniqueFd theirs(ends[1]);
  fflush(nullptr);  // the child must not print it again
  pid_ = fork();
  PCHECK(pid_ >= 0);
  if (pid_ > 0) return;
  result_.Reset();
  if (uid != geteuid() && !BecomeUser(uid)) _exit(1);
  prctl(PR_SET_PDEATHSIG, SIGKILL);  // cleared by a change of user
  const std::string result = body();
  for (size_t sent = 0; sent < result.size();) {
    const ssize_t n = write(theirs.get(), result.data() + sent, result.size() - sent);
    if (n <= 0) _exit(1);
    sent += n;
  }
  _exit(0);  // without the destructors of what belongs to the parent
}

ForkedChild::~ForkedChild() {
  if (!wait_status_.has_value()) Kill();
}

void ForkedChild::AwaitStopAndContinue() {
  CHECK(WIFSTOPPED(Wait(WUNTRACED))) << "it ended before it stopped";
  PCHECK(kill(pid_, SIGCONT) == 0);
}

bool ForkedChild::Ended() const {
  return wait_status_.has_value() || AwaitReadable(result_.get(), absl::ZeroDuration());
}

std::string ForkedChild::Join() {
  std::string text;
  char buffer[4096];
  for (ssize_t n; result_ && (n = read(result_.get(), buffer, sizeof(buffer))) != 0;) {
    PCHECK(n > 0 || errno == EINTR);
    if (n > 0) text.append(buffer, n);
  }
  result_.Reset();
  if (!wait_status_.has_value()) wait_status_ = Wait();
  if (WIFSIGNALED(*wait_status_)) {
    return absl::StrCat("killed by signal ", WTERMSIG(*wait_status_));
  }
  const int code = WEXITSTATUS(*wait_status_);
  return code == 0 ? text : absl::StrCat("exit code ", code);
}

bool ForkedChild::Kill() {
  if (!wait_status_.has_value()) {
    PCHECK(kill(pid_, SIGKILL) == 0);
    wait_status_ = Wait();
  }
  result_.Reset();
  return WIFSIGNALED(*wait_status_) && WTERMSIG(*wait_status_) == SIGKILL;
}

int ForkedChild::Wait(int flags) const {
  int status;
  pid_t waited;
  do {
    waited = waitpid(pid_, &status, flags);
  } while (waited < 0 && errno == EINTR);
  PCHECK(waited == pid_);
  return status;
}

std::string WhyNoOtherUser() {
  if (geteuid() != 0) return "it needs root, to become another user";
  ForkedChild probe([] { return BecomeUser(kNobody) ? "" : absl::StrCat(strerror(errno)); });
  const std::string why = probe.Join();
  return why.empty() ? "" : absl::StrCat("becoming uid ", kNobody, " is not permitted: ", why);
}

uid_t OrdinaryUser() { return geteuid() == 0 ? kNobody : geteuid(); }

std::string WhyNoOrdinaryUser() { return geteuid() == 0 ? WhyNoOtherUser() : ""; }

}  // namespace grpc_cxl::internal
