// SPDX-License-Identifier: Apache-2.0
#include "grpc_cxl/rendezvous/user_namespace.h"

#include <sys/stat.h>

#include <cstdint>
#include <fstream>

namespace grpc_cxl::internal {
namespace {

constexpr uid_t kDefaultOverflowUid = 65534;
constexpr ino_t kInitialNamespace = 0xEFFFFFFD;  // USER_NS_INIT_INO of <linux/nsfs.h>
constexpr uint64_t kAllUsers = 0xFFFFFFFF;       // 0 to 2^32 - 2; the last number is no user

uid_t ReadOverflowUid() {
  std::ifstream file("/proc/sys/kernel/overflowuid");
  uid_t uid;
  return file >> uid ? uid : kDefaultOverflowUid;
}

bool AllUsersAreMapped() {
  struct stat own;
  if (stat("/proc/self/ns/user", &own) == 0 && own.st_ino == kInitialNamespace) return true;
  std::ifstream file("/proc/self/uid_map");
  uint64_t inside, outside, count, mapped = 0;
  while (file >> inside >> outside >> count) mapped += count;
  return mapped >= kAllUsers;
}

}  // namespace

bool MayBeUnmapped(uid_t uid) {
  static const uid_t overflow_uid = ReadOverflowUid();
  return uid == overflow_uid && !AllUsersAreMapped();
}

}  // namespace grpc_cxl::internal
