#ifndef GRPC_CXL_TEST_RENDEZVOUS_STEPPED_CHILD_H_
#define GRPC_CXL_TEST_RENDEZVOUS_STEPPED_CHILD_H_

#include <sys/types.h>

#include <string>

#include "absl/functional/function_ref.h"

namespace grpc_cxl::internal {

// A forked copy of this test that runs `body` one system call at a time, under ptrace. All
// that other processes can see of it happens in system calls, so stopping (or killing) it
// between any two covers every state it can die in.
class SteppedChild {
 public:
  // Empty when that is permitted here, otherwise the reason to skip a test.
  static std::string WhyNot();

  // `body` returns the exit code. The child stands before its first system call.
  explicit SteppedChild(absl::FunctionRef<int()> body);
  SteppedChild(const SteppedChild&) = delete;
  SteppedChild& operator=(const SteppedChild&) = delete;
  ~SteppedChild();

  pid_t pid() const { return pid_; }

  // Lets it run to the beginning or the end of its next system call. False when it has
  // ended instead.
  bool Step();

  // Lets it run to the beginning of its next system call and returns that call's number
  // (SYS_...), -1 when it has ended instead. Not to be mixed with Step(). x86-64 only.
  long NextSystemCall();

  // The system call at whose beginning it stands is not done and fails with `error`.
  void FailSystemCall(int error);

  // Lets it run to its end and returns the exit code; -1 when it was killed.
  int Finish();

  // SIGKILL, and waits until it is gone.
  void Kill();

 private:
  bool Resume(int request);

  pid_t pid_ = -1;
  bool ended_ = false;
  int exit_code_ = -1;
};

}  // namespace grpc_cxl::internal

#endif  // GRPC_CXL_TEST_RENDEZVOUS_STEPPED_CHILD_H_
