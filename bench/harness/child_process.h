// SPDX-License-Identifier: Apache-2.0
#ifndef GRPC_CXL_BENCH_HARNESS_CHILD_PROCESS_H_
#define GRPC_CXL_BENCH_HARNESS_CHILD_PROCESS_H_

#include <sys/types.h>

#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "bench/harness/control.pb.h"
#include "grpc_cxl/base/unique_fd.h"

namespace grpc_cxl::bench {

// The child's end of the control socket, in the child.
inline constexpr int kControlFd = 3;

// Another process of this program, which takes Requests on kControlFd and answers each with a
// Reply. It ends with the control socket, so it never outlives its parent. It has its own process
// group: Ctrl-C reaches only the parent, which then ends its children.
//
// Used by one thread.
class ChildProcess {
 public:
  // `what` names the process in error messages: "server process of cxl".
  static absl::StatusOr<std::unique_ptr<ChildProcess>> Start(std::string what,
                                                             const std::vector<std::string>& flags,
                                                             absl::Duration grace_period);

  // Hangs up, and kills the process if it does not end within the grace period.
  ~ChildProcess();

  ChildProcess(const ChildProcess&) = delete;
  ChildProcess& operator=(const ChildProcess&) = delete;

  pid_t pid() const { return pid_; }

  absl::Status Send(const Request& request);

  // The next reply. ABORTED with the child's error; UNAVAILABLE when the child or `companion`
  // (may be null) has ended, with how it ended; CANCELLED after Ctrl-C; DEADLINE_EXCEEDED.
  absl::StatusOr<Reply> Receive(absl::Duration timeout, ChildProcess* companion = nullptr);

  // Send, then Receive.
  absl::StatusOr<Reply> Ask(const Request& request, absl::Duration timeout,
                            ChildProcess* companion = nullptr);

  // Waits up to `timeout` for the end of the process. OK while it lives; afterwards UNAVAILABLE
  // with how it ended: "The server process of cxl (pid 12) was killed by ...".
  absl::Status Ended(absl::Duration timeout);

 private:
  ChildProcess(std::string what, pid_t pid, absl::Duration grace_period, internal::UniqueFd control,
               internal::UniqueFd pid_fd)
      : what_(std::move(what)),
        pid_(pid),
        grace_period_(grace_period),
        control_(std::move(control)),
        pid_fd_(std::move(pid_fd)) {}

  const std::string what_;
  const pid_t pid_;
  const absl::Duration grace_period_;
  internal::UniqueFd control_;
  internal::UniqueFd pid_fd_;  // readable once the process has ended
  absl::Status ended_;         // not OK: the process was reaped
};

}  // namespace grpc_cxl::bench

#endif  // GRPC_CXL_BENCH_HARNESS_CHILD_PROCESS_H_
