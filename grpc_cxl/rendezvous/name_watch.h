// SPDX-License-Identifier: Apache-2.0
#ifndef GRPC_CXL_RENDEZVOUS_NAME_WATCH_H_
#define GRPC_CXL_RENDEZVOUS_NAME_WATCH_H_

#include <string>

#include "grpc_cxl/base/unique_fd.h"

namespace grpc_cxl::internal {

// Reports changes of a name's files and of their directory (inotify). Not thread-safe.
class NameWatch {
 public:
  // `stem`: of the name's files (name_files.h).
  explicit NameWatch(std::string stem);

  // Non-blocking; readable after a change. -1 when the user has no inotify instance left
  // (fs.inotify.max_user_instances).
  int fd() const { return inotify_.get(); }

  // From now on watches this opened directory, and no other.
  void Watch(int directory);

  // Takes all reports. Whether the name or the directory itself may have changed.
  bool Changed();

 private:
  const std::string stem_;
  UniqueFd inotify_;
  int watch_ = -1;
};

}  // namespace grpc_cxl::internal

#endif  // GRPC_CXL_RENDEZVOUS_NAME_WATCH_H_
