// SPDX-License-Identifier: Apache-2.0
#include "grpc_cxl/rendezvous/name_watch.h"

#include <sys/inotify.h>
#include <unistd.h>

#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"

namespace grpc_cxl::internal {

NameWatch::NameWatch(std::string stem)
    : stem_(std::move(stem)), inotify_(inotify_init1(IN_CLOEXEC | IN_NONBLOCK)) {}

void NameWatch::Watch(int directory) {
  if (!inotify_) return;
  const int before = watch_;
  watch_ = inotify_add_watch(inotify_.get(), absl::StrCat("/proc/self/fd/", directory).c_str(),
                             IN_CREATE | IN_DELETE | IN_MOVED_FROM | IN_MOVED_TO | IN_DELETE_SELF |
                                 IN_MOVE_SELF | IN_ONLYDIR);
  if (before >= 0 && before != watch_) inotify_rm_watch(inotify_.get(), before);
}

bool NameWatch::Changed() {
  bool changed = false;
  alignas(inotify_event) char buffer[4096];
  for (ssize_t size; (size = read(inotify_.get(), buffer, sizeof(buffer))) > 0;) {
    for (ssize_t at = 0; at < size;) {
      const auto* const event = reinterpret_cast<const inotify_event*>(buffer + at);
      at += static_cast<ssize_t>(sizeof(inotify_event) + event->len);
      if ((event->mask & IN_IGNORED) != 0) continue;  // the watch before this one
      const absl::string_view file(event->len > 0 ? event->name : "");
      changed |= file.empty() || file == absl::StrCat(stem_, ".lock") ||
                 file == absl::StrCat(stem_, ".sock");
    }
  }
  return changed;
}

}  // namespace grpc_cxl::internal
