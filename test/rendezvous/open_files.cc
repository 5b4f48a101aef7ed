#include "test/rendezvous/open_files.h"

#include <fcntl.h>
#include <sys/resource.h>
#include <unistd.h>

#include <filesystem>
#include <iterator>

#include "absl/log/check.h"

namespace grpc_cxl::internal {

size_t CountOpenFiles() {
  // One of them is the iterator's own.
  return std::distance(std::filesystem::directory_iterator("/proc/self/fd"), {}) - 1;
}

NoMoreFiles::NoMoreFiles() {
  PCHECK(getrlimit(RLIMIT_NOFILE, &before_) == 0);
  const int lowest_free = open("/dev/null", O_RDONLY | O_CLOEXEC);
  PCHECK(lowest_free >= 0);
  close(lowest_free);
  const rlimit full{static_cast<rlim_t>(lowest_free), before_.rlim_max};
  PCHECK(setrlimit(RLIMIT_NOFILE, &full) == 0);
}

NoMoreFiles::~NoMoreFiles() { PCHECK(setrlimit(RLIMIT_NOFILE, &before_) == 0); }

}  // namespace grpc_cxl::internal
