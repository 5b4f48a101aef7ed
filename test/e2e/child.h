#ifndef GRPC_CXL_TEST_E2E_CHILD_H_
#define GRPC_CXL_TEST_E2E_CHILD_H_

#include <sys/types.h>

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "absl/time/time.h"
#include "grpc_cxl/base/unique_fd.h"

namespace grpc_cxl::e2e {

// A process that runs the e2e_child (e2e_child.cc) and reports line by line on its standard
// output. It dies with this process. One thread at a time.
class Child {
 public:
  explicit Child(const std::vector<std::string>& flags);
  Child(const Child&) = delete;
  Child& operator=(const Child&) = delete;
  // Kills it if it still runs.
  ~Child();

  pid_t pid() const { return pid_; }

  // The next line it prints, without the newline; nullopt when it ended first or printed
  // nothing for `timeout`.
  std::optional<std::string> ReadLine(absl::Duration timeout = absl::Seconds(20));

  // The bytes that it has allocated at the moment.
  int64_t AllocatedBytes();

  // SIGSTOP, and waits until it has stopped; SIGCONT.
  void Stop();
  void Continue();
  // SIGKILL, and waits until it is gone.
  void Kill();
  // Lets it end in order, and waits for that: its exit code, or minus the signal that
  // killed it.
  int Finish();

 private:
  int Reap();

  pid_t pid_;                  // -1 when reaped
  internal::UniqueFd input_;   // its standard input: end-of-file ends it
  internal::UniqueFd output_;  // its standard output
  std::string read_;           // and what is read of it ahead
};

// What `pid` holds at the moment.
int CountOpenFiles(pid_t pid);
int CountSharedMappings(pid_t pid);  // of memfds
int64_t ResidentBytes(pid_t pid);

}  // namespace grpc_cxl::e2e

#endif  // GRPC_CXL_TEST_E2E_CHILD_H_
