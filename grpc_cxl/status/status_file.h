// SPDX-License-Identifier: Apache-2.0
#ifndef GRPC_CXL_STATUS_STATUS_FILE_H_
#define GRPC_CXL_STATUS_STATUS_FILE_H_

#include <sys/types.h>

#include <string>
#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "grpc_cxl/base/unique_fd.h"
#include "grpc_cxl/status/status_page.h"

// Status pages as files of a directory, `4711-9f86d081.status`: the owner's pid, and a number that
// keeps pid namespaces apart. The owner holds a lock (F_OFD_SETLK) on its file for as long as it
// lives; who wants to remove a file must have the lock first. So:
//
//   no lock                  the owner is dead, or has not locked its new file yet
//   removed before its lock  the owner notices after it has locked, and makes another
//
// The file is written, not mapped: a mapping could end the process with a SIGBUS when the file
// system is full or another pod of the same user truncates the file, and a store to it waits for
// the disk while the kernel writes the page back.
namespace grpc_cxl::internal {

// The owner's. Not thread-safe. One at a time in a process: a forked child lets go of it, so that
// its parent's end can be noticed.
class StatusFile {
 public:
  // `directory` is an opened directory. Errors are those of the file system.
  static absl::StatusOr<StatusFile> Create(int directory);

  StatusFile(StatusFile&&) = default;
  ~StatusFile();  // the file stays, and is a dead owner's

  // Replaces the content. Not at once: readers compare checksums.
  absl::Status Write(absl::string_view bytes);
  // Whether someone has removed it.
  bool IsGone() const;
  // If it is still there. Does not close it, so it may be called when the process ends, beside
  // another thread's Write().
  void Remove(int directory) const;

 private:
  StatusFile(UniqueFd fd, std::string name) : fd_(std::move(fd)), name_(std::move(name)) {}

  UniqueFd fd_;
  std::string name_;
};

// A file that was found.
struct FoundStatus {
  bool alive = false;               // its owner holds the lock
  uid_t uid = 0;                    // the file's owner
  absl::StatusOr<StatusPage> page;  // only if it is alive
};

// By its name.
bool IsStatusFile(absl::string_view name);

// Reads the file `name`, which may be anything. NOT_FOUND when it has gone; PERMISSION_DENIED when
// this user must not read it.
absl::StatusOr<FoundStatus> ReadStatusFile(int directory, const std::string& name);

// Removes the file if its owner is dead and this user may. True: it is gone.
bool RemoveDeadStatusFile(int directory, const std::string& name);

}  // namespace grpc_cxl::internal

#endif  // GRPC_CXL_STATUS_STATUS_FILE_H_
