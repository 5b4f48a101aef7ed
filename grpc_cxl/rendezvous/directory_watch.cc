// SPDX-License-Identifier: Apache-2.0
#include "grpc_cxl/rendezvous/directory_watch.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/inotify.h>
#include <unistd.h>

#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "absl/strings/strip.h"

namespace grpc_cxl::internal {

DirectoryWatch::DirectoryWatch(const RendezvousDirectory& directory)
    : inotify_(inotify_init1(IN_CLOEXEC | IN_NONBLOCK)) {
  if (!inotify_) {
    problem_ = errno == EMFILE ? "this user has no inotify instance left, or this process no file "
                                 "descriptor; raise fs.inotify.max_user_instances or ulimit -n"
                               : absl::StrCat("inotify: ", strerror(errno));
    return;
  }
  const std::string path = absl::StrCat("/proc/self/fd/", directory.fd());
  constexpr uint32_t kEvents = IN_CREATE | IN_MOVED_TO | IN_DELETE_SELF | IN_MOVE_SELF | IN_ONLYDIR;
  if (inotify_add_watch(inotify_.get(), path.c_str(), kEvents) >= 0) return;
  const int error = errno;
  inotify_.Reset();
  if (error == ENOSPC) {
    problem_ = "this user has no inotify watch left; raise fs.inotify.max_user_watches";
  } else if (faccessat(directory.fd(), ".", R_OK, AT_EACCESS) != 0) {
    problem_ = absl::StrCat("this user may not read the directory ", directory.path(),
                            "; give it the permission (chmod)");
  } else {
    problem_ = absl::StrCat("inotify: ", strerror(error));
  }
}

DirectoryWatch::Changes DirectoryWatch::Take() {
  Changes changes;
  alignas(inotify_event) char buffer[4096];
  for (ssize_t size; (size = read(inotify_.get(), buffer, sizeof(buffer))) > 0;) {
    for (ssize_t at = 0; at < size;) {
      const auto* const event = reinterpret_cast<const inotify_event*>(buffer + at);
      at += static_cast<ssize_t>(sizeof(inotify_event) + event->len);
      changes.lost |= (event->mask & IN_Q_OVERFLOW) != 0;
      changes.over |= (event->mask & (IN_DELETE_SELF | IN_MOVE_SELF | IN_IGNORED)) != 0;
      absl::string_view file(event->len > 0 ? event->name : "");
      if (absl::ConsumeSuffix(&file, ".sock")) changes.stems.emplace(file);
    }
  }
  return changes;
}

}  // namespace grpc_cxl::internal
