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

// A program that runs beside this one, its output going to a file. It has a process group
// of its own, so that Ctrl-C reaches this process alone, and the kernel kills it when the
// thread that started it ends, however it ends. Used by that thread.
class Process {
 public:
  // `name` stands in error messages. `log` is written anew.
  static absl::StatusOr<std::unique_ptr<Process>> Start(std::string name,
                                                        const std::string& program,
                                                        const std::vector<std::string>& flags,
                                                        std::string log);

  // Ends it: SIGTERM, and SIGKILL when that did not help for 3 s.
  ~Process();

  Process(const Process&) = delete;
  Process& operator=(const Process&) = delete;

  const std::string& name() const { return name_; }
  pid_t pid() const { return pid_; }
  void Signal(int signal) const;

  // Whether it has ended; waits for that up to `patience`.
  bool Ended(absl::Duration patience);

  // Once it has ended: OK for exit code 0, else UNAVAILABLE with how it ended and the end of
  // its log.
  absl::Status HowItEnded() const;

  // What it has printed.
  std::string Output() const;

 private:
  friend absl::StatusOr<Process*> FirstToEnd(const std::vector<Process*>& processes,
                                             absl::Duration patience);

  Process(std::string name, pid_t pid, int pid_fd, std::string log)
      : name_(std::move(name)), log_(std::move(log)), pid_(pid), pid_fd_(pid_fd) {}

  const std::string name_, log_;
  const pid_t pid_;
  const int pid_fd_;  // readable when the process has ended
  bool reaped_ = false;
  int wait_status_ = 0;  // once reaped
};

// The first of the processes that ends within `patience`; null when none does. CANCELLED
// after Ctrl-C (see bench/harness/interrupt.h).
absl::StatusOr<Process*> FirstToEnd(const std::vector<Process*>& processes,
                                    absl::Duration patience);

}  // namespace hotel_reservation

#endif  // GRPC_CXL_EXAMPLES_HOTEL_RESERVATION_LAUNCHER_PROCESS_H_
