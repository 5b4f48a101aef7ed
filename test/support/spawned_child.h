// SPDX-License-Identifier: Apache-2.0
#ifndef GRPC_CXL_TEST_SUPPORT_SPAWNED_CHILD_H_
#define GRPC_CXL_TEST_SUPPORT_SPAWNED_CHILD_H_

#include <sys/types.h>

#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/time/time.h"
#include "grpc_cxl/base/unique_fd.h"

namespace grpc_cxl::internal {

struct SpawnOptions {
  // Set for the program, or removed when nullopt; it inherits all other variables.
  std::map<std::string, std::optional<std::string>> environment;
  // Also reads its standard error, which is the test's own otherwise.
  bool read_stderr = false;
};

// Another program, run in a session of its own so that all processes it starts can be found.
// Used by one thread.
class SpawnedChild {
 public:
  // `program` is relative to the workspace. CHECK-fails when it cannot be started.
  SpawnedChild(const std::string& program, const std::vector<std::string>& arguments,
               const SpawnOptions& options = {});
  SpawnedChild(const SpawnedChild&) = delete;
  SpawnedChild& operator=(const SpawnedChild&) = delete;
  // Kills every process of the session.
  ~SpawnedChild();

  pid_t pid() const { return pid_; }

  // To its standard input.
  void Write(std::string_view text);

  // The next line it prints, without the newline; nullopt when it ended first or printed
  // nothing for `timeout`.
  std::optional<std::string> ReadLine(absl::Duration timeout = absl::Minutes(1));

  // Reads until output() contains `text`; false when it ended first, or did not print it
  // within `timeout`.
  bool ReadUntil(std::string_view text, absl::Duration timeout = absl::Minutes(1));

  // All that was read so far; complete after Finish().
  const std::string& output() const { return output_; }

  // SIGSTOP, and waits until it has stopped; SIGCONT.
  void Stop();
  void Continue();
  // SIGKILL, and waits until it is gone.
  void Kill();

  // Closes its standard input, reads all its output and waits for its end: the exit code, or
  // minus the signal that killed it. nullopt when it still runs after `timeout`.
  std::optional<int> Finish(absl::Duration timeout = absl::InfiniteDuration());

  // Processes of the session whose command line contains `text`, zombies aside. Looks for up
  // to 10 s until there are `count` of them, and returns what it saw last.
  std::vector<pid_t> Processes(const std::string& text, size_t count) const;

 private:
  bool ReadMore(absl::Time deadline);  // false at the end of its output, or then
  int Reap();

  pid_t pid_ = -1;
  UniqueFd ended_;  // a pidfd
  std::optional<int> result_;
  UniqueFd input_, pipe_;
  std::string output_;
  size_t lines_read_ = 0;  // bytes of output_ that ReadLine() has returned
};

}  // namespace grpc_cxl::internal

#endif  // GRPC_CXL_TEST_SUPPORT_SPAWNED_CHILD_H_
