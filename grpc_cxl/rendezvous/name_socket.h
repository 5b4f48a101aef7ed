// SPDX-License-Identifier: Apache-2.0
#ifndef GRPC_CXL_RENDEZVOUS_NAME_SOCKET_H_
#define GRPC_CXL_RENDEZVOUS_NAME_SOCKET_H_

#include <sys/types.h>

#include <string>

#include "absl/status/statusor.h"
#include "grpc_cxl/base/unique_fd.h"

namespace grpc_cxl::internal {

// The listening socket of a name. Only the process that has the name's lock (name_lock.h) makes
// and removes it.
class NameSocket {
 public:
  // Makes `file` in an opened directory; `full` is its path for the texts of errors. Removes the
  // socket of a dead owner, and nothing else. ALREADY_EXISTS naming the pid when a process still
  // listens there, which is an owner whose lock file was removed by hand: takes a second to find
  // out. FAILED_PRECONDITION when another kind of file is in the way.
  static absl::StatusOr<NameSocket> Listen(int directory, const std::string& file,
                                           const std::string& full);

  // Takes `listening`, which another process has made at `file`. FAILED_PRECONDITION: it is no such
  // socket.
  static absl::StatusOr<NameSocket> Adopt(int directory, const std::string& file,
                                          UniqueFd listening);

  // Removes the socket that a dead owner has left at `file`, if there is one. Errors as Listen().
  static absl::Status RemoveDead(int directory, const std::string& file, const std::string& full);

  NameSocket() = default;  // none

  int fd() const { return fd_.get(); }

  // Whether clients that connect to `file` reach this socket.
  bool IsAt(int directory, const std::string& file) const;

 private:
  UniqueFd fd_;
  dev_t device_ = 0;
  ino_t inode_ = 0;
};

}  // namespace grpc_cxl::internal

#endif  // GRPC_CXL_RENDEZVOUS_NAME_SOCKET_H_
