// SPDX-License-Identifier: Apache-2.0
#include "grpc_cxl/rendezvous/dial.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/string_view.h"
#include "grpc_cxl/base/errno_status.h"
#include "grpc_cxl/base/foreign_fd.h"
#include "grpc_cxl/rendezvous/name_files.h"
#include "grpc_cxl/rendezvous/socket_address.h"

namespace grpc_cxl::internal {
namespace {

std::string Quoted(absl::string_view rollout) {
  return rollout.empty() ? "none" : absl::StrCat("\"", rollout, "\"");
}

// For who looks in the wrong rollout; empty where none has the name.
std::string OtherRolloutsText(const RendezvousDirectory& directory, const ServiceName& name) {
  const std::vector<std::string> others = OtherRollouts(directory, name);
  if (others.empty()) return "";
  return absl::StrCat("; other rollouts have the name (",
                      absl::StrJoin(others, ", ",
                                    [](std::string* text, const std::string& rollout) {
                                      text->append(Quoted(rollout));
                                    }),
                      "), ours is ", Quoted(directory.rollout()),
                      ": rollout or GRPC_CXL_ROLLOUT must be the same at both ends");
}

absl::Status NotConnected(int error, const RendezvousDirectory& directory,
                          const ServiceName& name) {
  const std::string who = absl::StrCat("\"", name.str(), "\" in ", directory.path());
  switch (error) {
    case ENOENT:  // no directory or no socket
    case ENOTDIR:
    case ECONNREFUSED:  // the socket of an owner who died
      return absl::UnavailableError(
          absl::StrCat("no server listens on ", who,
                       " (is the server running, and does it use the same directory? "
                       "GRPC_CXL_DIR in the environment of both sets it)",
                       OtherRolloutsText(directory, name)));
    case EAGAIN:
      return absl::ResourceExhaustedError(
          absl::StrCat("the listener's queue of ", who, " is full; try again later"));
    case EACCES:
    case EPERM:
      return absl::PermissionDeniedError(
          absl::StrCat("this user (uid ", geteuid(), ") may not enter the directory to reach ", who,
                       "; its owner can allow it, or set GRPC_CXL_DIR to another directory"));
    default:
      return ErrnoStatus(error, absl::StrCat("cannot connect to ", who));
  }
}

std::string SocketFile(const RendezvousDirectory& directory, const ServiceName& name) {
  return absl::StrCat(FileStem(directory, name), ".sock");
}

}  // namespace

bool IsRegistered(const RendezvousDirectory& directory, const ServiceName& name) {
  struct stat found;
  return fstatat(directory.fd(), SocketFile(directory, name).c_str(), &found, 0) == 0 &&
         S_ISSOCK(found.st_mode);
}

absl::StatusOr<UniqueFd> Dial(const RendezvousDirectory& directory, const ServiceName& name) {
  if (absl::Status status = CheckLength(name, directory.rollout()); !status.ok()) return status;
  absl::StatusOr<sockaddr_un> address = SocketAddress(directory.fd(), SocketFile(directory, name));
  if (!address.ok()) return address.status();

  UniqueFd socket(::socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (!socket) return NotConnected(errno, directory, name);
  PassDescriptors(socket.get(), false);  // until the server is known
  // A unix socket connects at once or fails; with O_NONBLOCK it never waits.
  if (connect(socket.get(), reinterpret_cast<const sockaddr*>(&*address), sizeof(*address)) != 0) {
    return NotConnected(errno, directory, name);
  }
  return socket;
}

}  // namespace grpc_cxl::internal
