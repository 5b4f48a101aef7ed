// SPDX-License-Identifier: Apache-2.0
#include "grpc_cxl/rendezvous/trusted_users.h"

#include <limits.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>

#include "grpc_cxl/rendezvous/user_namespace.h"

#ifndef SO_PEERGROUPS  // Linux 4.13
#define SO_PEERGROUPS 59
#endif

namespace grpc_cxl::internal {
namespace {

// The group of the process at the other end, and those that it has besides.
std::vector<gid_t> GroupsOfPeer(int socket) {
  ucred credentials;
  socklen_t size = sizeof(credentials);
  if (getsockopt(socket, SOL_SOCKET, SO_PEERCRED, &credentials, &size) != 0) return {};
  std::vector<gid_t> groups(NGROUPS_MAX + 1);
  size = groups.size() * sizeof(gid_t);
  const bool tells = getsockopt(socket, SOL_SOCKET, SO_PEERGROUPS, groups.data(), &size) == 0;
  groups.resize(tells ? size / sizeof(gid_t) : 0);
  groups.push_back(credentials.gid);
  return groups;
}

}  // namespace

bool TrustedUsers::Allows(uid_t uid) const {
  if (everybody) return true;
  if (MayBeUnmapped(uid)) return false;
  const auto has = [uid](const std::vector<uid_t>& uids) {
    return std::find(uids.begin(), uids.end(), uid) != uids.end();
  };
  return uid == 0 || uid == geteuid() || has(allowed_uids) || has(trusted_uids);
}

bool TrustedUsers::AllowsPeer(int socket, uid_t uid) const {
  if (Allows(uid)) return true;
  if (allowed_gids.empty()) return false;
  const std::vector<gid_t> groups = GroupsOfPeer(socket);
  return std::any_of(groups.begin(), groups.end(), [this](gid_t gid) {
    return !GroupMayBeUnmapped(gid) &&
           std::find(allowed_gids.begin(), allowed_gids.end(), gid) != allowed_gids.end();
  });
}

}  // namespace grpc_cxl::internal
