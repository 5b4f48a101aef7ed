#include "test/rendezvous/child.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <string>

#include "absl/functional/function_ref.h"
#include "absl/log/check.h"
#include "absl/strings/str_cat.h"

namespace grpc_cxl::internal {
namespace {

// All three ids, so that there is no way back and SO_PEERCRED shows the new one.
bool BecomeUser(uid_t uid) {
  return setgroups(0, nullptr) == 0 && setresgid(uid, uid, uid) == 0 &&
         setresuid(uid, uid, uid) == 0;
}

}  // namespace

Child::Child(absl::FunctionRef<std::string()> body) : Child(geteuid(), body) {}

Child::Child(uid_t uid, absl::FunctionRef<std::string()> body) {
  int ends[2];
  PCHECK(pipe2(ends, O_CLOEXEC) == 0);
  pid_ = fork();
  PCHECK(pid_ >= 0);
  if (pid_ == 0) {
    close(ends[0]);
    if (uid != geteuid() && !BecomeUser(uid)) _exit(1);
    prctl(PR_SET_PDEATHSIG, SIGKILL);  // cleared by a change of user
    const std::string result = body();
    for (size_t sent = 0; sent < result.size();) {
      const ssize_t n = write(ends[1], result.data() + sent, result.size() - sent);
      if (n <= 0) _exit(1);
      sent += n;
    }
    _exit(0);  // without the destructors of what belongs to the parent
  }
  close(ends[1]);
  result_ = UniqueFd(ends[0]);
}

Child::~Child() {
  if (pid_ > 0) Kill();
}

void Child::AwaitStopAndContinue() {
  int status;
  PCHECK(waitpid(pid_, &status, WUNTRACED) == pid_);
  CHECK(WIFSTOPPED(status)) << "it ended before it stopped";
  PCHECK(kill(pid_, SIGCONT) == 0);
}

std::string Child::Join() {
  std::string text;
  char buffer[4096];
  for (ssize_t n; (n = read(result_.get(), buffer, sizeof(buffer))) != 0;) {
    if (n > 0) {
      text.append(buffer, n);
    } else {
      PCHECK(errno == EINTR);
    }
  }
  int status;
  PCHECK(waitpid(pid_, &status, 0) == pid_);
  pid_ = -1;
  if (WIFSIGNALED(status)) return absl::StrCat("killed by signal ", WTERMSIG(status));
  if (WEXITSTATUS(status) != 0) return absl::StrCat("exit code ", WEXITSTATUS(status));
  return text;
}

void Child::Kill() {
  PCHECK(kill(pid_, SIGKILL) == 0);
  PCHECK(waitpid(pid_, nullptr, 0) == pid_);
  pid_ = -1;
}

std::string WhyNoOtherUser() {
  if (geteuid() != 0) return "it needs root, to become another user";
  Child probe([] { return BecomeUser(kNobody) ? "" : absl::StrCat(strerror(errno)); });
  const std::string why = probe.Join();
  return why.empty() ? "" : absl::StrCat("becoming uid ", kNobody, " is not permitted: ", why);
}

uid_t OrdinaryUser() { return geteuid() == 0 ? kNobody : geteuid(); }

std::string WhyNoOrdinaryUser() { return geteuid() == 0 ? WhyNoOtherUser() : ""; }

void AwaitReadable(int socket) {
  pollfd waiting{socket, POLLIN, 0};
  int ready;
  do {
    ready = poll(&waiting, 1, 60'000);
  } while (ready < 0 && errno == EINTR);
  PCHECK(ready == 1) << "nothing came for a minute";
}

}  // namespace grpc_cxl::internal
