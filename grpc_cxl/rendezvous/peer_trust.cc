// SPDX-License-Identifier: Apache-2.0
#include "grpc_cxl/rendezvous/peer_trust.h"

#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <string>

#include "absl/strings/str_cat.h"
#include "grpc_cxl/base/unique_fd.h"
#include "grpc_cxl/rendezvous/user_namespace.h"

#ifndef SO_PEERPIDFD  // newer than some systems' headers
#define SO_PEERPIDFD 77
#endif

namespace grpc_cxl::internal {
namespace {

// Whether both names lead to one file.
bool AreSame(const std::string& name, const std::string& other) {
  struct stat a, b;
  return stat(name.c_str(), &a) == 0 && stat(other.c_str(), &b) == 0 && a.st_dev == b.st_dev &&
         a.st_ino == b.st_ino;
}

// A /proc of another pid namespace would tell about other processes than the kernel does.
bool ProcIsOurs() {
  char pid[PATH_MAX];
  const ssize_t bytes = readlink("/proc/self", pid, sizeof(pid));
  return bytes > 0 && std::string(pid, bytes) == absl::StrCat(getpid());
}

bool IsInOurNamespaces(int socket, pid_t pid) {
  if (pid <= 0 || !ProcIsOurs()) return false;
  int fd = -1;
  socklen_t size = sizeof(fd);
  const bool tells = getsockopt(socket, SOL_SOCKET, SO_PEERPIDFD, &fd, &size) == 0;
  if (!tells && errno != ENOPROTOOPT) return false;  // the peer is gone, or no descriptor is left
  const UniqueFd process(tells ? fd : -1);
  for (const char* kind : {"user", "pid"}) {
    if (!AreSame(absl::StrCat("/proc/", pid, "/ns/", kind), absl::StrCat("/proc/self/ns/", kind))) {
      return false;
    }
  }
  // The peer still has its pid, so that it was the peer that we looked at.
  pollfd ended{.fd = process.get(), .events = POLLIN, .revents = 0};
  return !tells || poll(&ended, 1, 0) == 0;
}

}  // namespace

PeerTrust JudgePeer(int socket, const PeerIdentity& peer, const TrustedUsers& users) {
  if (MayBeUnmapped(peer.uid)) return PeerTrust::kStranger;
  const auto& trusted = users.trusted_uids;
  if (std::find(trusted.begin(), trusted.end(), peer.uid) != trusted.end()) {
    return PeerTrust::kTrusted;
  }
  if (!TrustedUsers{}.Allows(peer.uid)) return PeerTrust::kStranger;
  return IsInOurNamespaces(socket, peer.pid) ? PeerTrust::kSameNamespaces : PeerTrust::kSameUser;
}

absl::string_view TrustText(PeerTrust trust) {
  switch (trust) {
    case PeerTrust::kStranger:
      return "a stranger";
    case PeerTrust::kSameUser:
      return "the same user";
    case PeerTrust::kSameNamespaces:
      return "the same namespaces";
    case PeerTrust::kTrusted:
      return "trusted";
  }
  return "";
}

}  // namespace grpc_cxl::internal
