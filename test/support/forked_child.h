// SPDX-License-Identifier: Apache-2.0
#ifndef GRPC_CXL_TEST_SUPPORT_FORKED_CHILD_H_
#define GRPC_CXL_TEST_SUPPORT_FORKED_CHILD_H_

#include <sys/types.h>

#include <optional>
#include <string>

#include "absl/functional/function_ref.h"
#include "grpc_cxl/base/unique_fd.h"

namespace grpc_cxl::internal {

inline constexpr uid_t kNobody = 65534;

// A forked copy of this test that runs `body` and hands back the text it returns. It dies
// with the test, and with this object. To be made while the test has one thread.
class ForkedChild {
 public:
  explicit ForkedChild(absl::FunctionRef<std::string()> body);
  // As another user; see WhyNoOtherUser().
  ForkedChild(uid_t uid, absl::FunctionRef<std::string()> body);
  ForkedChild(const ForkedChild&) = delete;
  ForkedChild& operator=(const ForkedChild&) = delete;
  ~ForkedChild();

  pid_t pid() const { return pid_; }

  // Waits until `body` does raise(SIGSTOP), and lets it go on.
  void AwaitStopAndContinue();

  // Whether it has ended, or begun to hand back its text.
  bool Ended() const;

  // Waits for the end: the text; when `body` did not return, "killed by signal N" or "exit
  // code N", which is also how a sanitizer reports.
  std::string Join();

  // SIGKILL, and waits until it is gone. False when it had ended by itself.
  bool Kill();

 protected:
  int Wait(int flags = 0) const;    // waitpid(); its status
  std::optional<int> wait_status_;  // once it is gone

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

}  // namespace grpc_cxl::internal

#endif  // GRPC_CXL_TEST_SUPPORT_FORKED_CHILD_H_
