// SPDX-License-Identifier: Apache-2.0
#ifndef GRPC_CXL_RENDEZVOUS_DIRECTORY_WATCH_H_
#define GRPC_CXL_RENDEZVOUS_DIRECTORY_WATCH_H_

#include <set>
#include <string>

#include "grpc_cxl/base/unique_fd.h"
#include "grpc_cxl/rendezvous/rendezvous_directory.h"

namespace grpc_cxl::internal {

// Reports the names that appear in a rendezvous directory (inotify). Not thread-safe.
class DirectoryWatch {
 public:
  // Whatever happens after this is reported.
  explicit DirectoryWatch(const RendezvousDirectory& directory);

  // Non-blocking; readable after a change. -1 when nothing is watched.
  int fd() const { return inotify_.get(); }
  // Why nothing is watched, and what to do about it.
  const std::string& problem() const { return problem_; }

  struct Changes {
    std::set<std::string> stems;  // of names whose sockets were made (name_files.h)
    bool lost = false;            // there were more: any name may have appeared
    bool over = false;            // the directory was moved or removed; nothing more is reported
  };
  // Takes all reports.
  Changes Take();

 private:
  UniqueFd inotify_;
  std::string problem_;
};

}  // namespace grpc_cxl::internal

#endif  // GRPC_CXL_RENDEZVOUS_DIRECTORY_WATCH_H_
