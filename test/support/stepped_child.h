// SPDX-License-Identifier: Apache-2.0
#ifndef GRPC_CXL_TEST_SUPPORT_STEPPED_CHILD_H_
#define GRPC_CXL_TEST_SUPPORT_STEPPED_CHILD_H_

#include <string>

#include "absl/functional/function_ref.h"
#include "test/support/forked_child.h"

namespace grpc_cxl::internal {

// A forked child that runs `body` one system call at a time, under ptrace. All that other
// processes can see of it happens in system calls, so stopping (or killing) it between any
// two covers every state it can die in.
class SteppedChild : public ForkedChild {
 public:
  // Empty when that is permitted here, otherwise the reason to skip a test.
  static std::string WhyNot();

  // The child stands before its first system call.
  explicit SteppedChild(absl::FunctionRef<std::string()> body);

  // Lets it run to the beginning or the end of its next system call. False when it has
  // ended instead.
  bool Step();
  // That many steps at most.
  bool Step(int times);

  // Lets it run to the beginning of its next system call and returns that call's number
  // (SYS_...), -1 when it has ended instead. Not to be mixed with Step(). x86-64 only.
  long NextSystemCall();

  // The system call at whose beginning it stands is not done and fails with `error`.
  void FailSystemCall(int error);

  // Lets it run to its end; as Join().
  std::string Finish();

 private:
  bool Resume(int request);
};

}  // namespace grpc_cxl::internal

#endif  // GRPC_CXL_TEST_SUPPORT_STEPPED_CHILD_H_
