// SPDX-License-Identifier: Apache-2.0
#ifndef GRPC_CXL_RENDEZVOUS_RENDEZVOUS_DIRECTORY_H_
#define GRPC_CXL_RENDEZVOUS_RENDEZVOUS_DIRECTORY_H_

#include <string>
#include <utility>

#include "absl/status/statusor.h"
#include "grpc_cxl/base/unique_fd.h"

namespace grpc_cxl::internal {

// Where to look for the directory; each may be empty. A plain value.
struct DirectoryCandidates {
  std::string configured{};  // by the options
  std::string trusted{};     // by the options or GRPC_CXL_TRUSTED_DIR, before all others
  std::string variable{};    // GRPC_CXL_DIR
  std::string runtime{};     // XDG_RUNTIME_DIR
  std::string temporary{};   // TMPDIR; empty: /tmp
  std::string rollout{};     // of the options or GRPC_CXL_ROLLOUT (name_files.h); empty: none

  friend bool operator==(const DirectoryCandidates&, const DirectoryCandidates&) = default;
};

// The directory in which names are registered and looked up: the first of
//
//   0. `trusted`, unless empty            must exist; its owner may be anybody
//   1. `configured`, unless empty         must exist
//   2. `variable`, unless empty           must exist
//   3. `runtime`/grpc_cxl                 made with mode 0700 when missing
//   4. `temporary`/grpc_cxl-<euid>        made with mode 0700 when missing
//
// 3 is skipped unless `runtime` is a directory of our own user: `sudo` and containers often pass
// on another user's directory, or a path that does not exist. Two processes meet only in the same
// directory; where their environments differ, set 1 or 2. Pods that share it as a mounted
// directory need no other shared namespace.
//
// The owner of the directory can put another socket in the place of any name, and so must be our
// own user or root, whatever allowed_uids says: PERMISSION_DENIED otherwise. NOT_FOUND when it does
// not exist, FAILED_PRECONDITION when it is no directory. The path is absolute. Every text names
// the directory, where its name came from, and what to do.
//
// In 3 and 4 it must moreover not be a symbolic link, which anybody can plant in /tmp, nor be
// writable for other users: FAILED_PRECONDITION. In 1 and 2 both are the user's choice: without
// the sticky bit, users who may write there can remove names, but cannot pass for a server of a
// trusted user, because the handshake checks the uid.
//
// What was checked is what is used: an opened directory, whatever its path leads to later.
class RendezvousDirectory {
 public:
  static absl::StatusOr<RendezvousDirectory> Open(const DirectoryCandidates& candidates);

  // The same, but makes none: NOT_FOUND when it is missing.
  static absl::StatusOr<RendezvousDirectory> Find(const DirectoryCandidates& candidates);

  // The directory to which the path leads now. One that was removed is made again, with its mode,
  // if it was our own.
  absl::StatusOr<RendezvousDirectory> Reopen() const;

  // The rollout of the names that this process registers and looks up here (name_files.h).
  const std::string& rollout() const { return candidates_.rollout; }

  const std::string& path() const { return path_; }
  int fd() const { return fd_.get(); }  // O_PATH

 private:
  RendezvousDirectory() = default;
  static absl::StatusOr<RendezvousDirectory> OpenFirst(const DirectoryCandidates& candidates,
                                                       bool make);

  DirectoryCandidates candidates_;
  std::string path_;
  UniqueFd fd_;
};

}  // namespace grpc_cxl::internal

#endif  // GRPC_CXL_RENDEZVOUS_RENDEZVOUS_DIRECTORY_H_
