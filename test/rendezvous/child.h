#ifndef GRPC_CXL_TEST_RENDEZVOUS_CHILD_H_
#define GRPC_CXL_TEST_RENDEZVOUS_CHILD_H_

#include <sys/types.h>

#include <string>

#include "absl/functional/function_ref.h"
#include "grpc_cxl/base/unique_fd.h"

namespace grpc_cxl::internal {

inline constexpr uid_t kNobody = 65534;

// A forked copy of this test that runs `body` and hands back the text it returns. Killed
// by the destructor if it still runs. To be used while the test has one thread.
class Child {
 public:
  explicit Child(absl::FunctionRef<std::string()> body);
  // As another user; see WhyNoOtherUser().
  Child(uid_t uid, absl::FunctionRef<std::string()> body);
  Child(const Child&) = delete;
  Child& operator=(const Child&) = delete;
  ~Child();

  pid_t pid() const { return pid_; }

  // Waits until `body` does raise(SIGSTOP), and lets it go on.
  void AwaitStopAndContinue();

  // Waits for the end. "killed by signal N" when `body` did not return.
  std::string Join();

  // SIGKILL, and waits until the process is gone.
  void Kill();

 private:
  pid_t pid_ = -1;
  UniqueFd result_;
};

// Empty when this process can make children of user kNobody, otherwise why not: the
// reason to skip a test.
std::string WhyNoOtherUser();

// A user whom file modes bind: ourselves, unless we are root; then kNobody. The second is
// empty when children of that user can be made, otherwise why not.
uid_t OrdinaryUser();
std::string WhyNoOrdinaryUser();

// Waits until `socket` can be read; fails the test's process after a minute.
void AwaitReadable(int socket);

}  // namespace grpc_cxl::internal

#endif  // GRPC_CXL_TEST_RENDEZVOUS_CHILD_H_
