// SPDX-License-Identifier: Apache-2.0
#ifndef GRPC_CXL_EXAMPLES_HOTEL_RESERVATION_LAUNCHER_PROCESS_H_
#define GRPC_CXL_EXAMPLES_HOTEL_RESERVATION_LAUNCHER_PROCESS_H_

#include <sys/types.h>

#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"

namespace hotel_reservation {

// Another program, whose output goes to a file. It has its own process group, so that Ctrl-C
// reaches only this process. The kernel kills it when the thread that started it ends. Used by that
// thread.
class Process {
 public:
  // `name` is for error messages. Overwrites `log`.
  static absl::StatusOr<std::unique_ptr<Process>> Start(std::string name,
                                                        const std::string& program,
                                                        const std::vector<std::string>& flags,
                                                        std::string log);

  // Ends it with SIGTERM, and after 3 s with SIGKILL.
  ~Process();

  Process(const Process&) = delete;
  Process& operator=(const Process&) = delete;

  const std::string& name() const { return name_; }
  pid_t pid() const { return pid_; }
  void Signal(int signal) const;

  // That it has used so far; zero once it has ended.
  absl::Duration CpuTime() const;

  // Waits up to `timeout` for its end. True if it has ended.
  bool Ended(absl::Duration timeout);

  // OK for exit code 0, else UNAVAILABLE with how it ended and the end of its log. REQUIRES: it has
  // ended.
  absl::Status HowItEnded() const;

  // Everything that it has printed.
  std::string Output() const;

 private:
  friend absl::StatusOr<Process*> FirstToEnd(const std::vector<Process*>& processes,
                                             absl::Duration timeout);

  Process(std::string name, pid_t pid, int pid_fd, std::string log)
      : name_(std::move(name)), log_(std::move(log)), pid_(pid), pid_fd_(pid_fd) {}

  const std::string name_, log_;
  const pid_t pid_;
  const int pid_fd_;  // readable when the process has ended
  bool reaped_ = false;
  int wait_status_ = 0;  // once reaped
};

// The first of the processes that ends within `timeout`; null when none does. CANCELLED after
// Ctrl-C (see bench/harness/interrupt.h).
absl::StatusOr<Process*> FirstToEnd(const std::vector<Process*>& processes, absl::Duration timeout);

}  // namespace hotel_reservation

#endif  // GRPC_CXL_EXAMPLES_HOTEL_RESERVATION_LAUNCHER_PROCESS_H_
