// SPDX-License-Identifier: Apache-2.0
#include "grpc_cxl/rendezvous/user_namespace.h"

#include <sys/stat.h>

#include <cstdint>
#include <fstream>

namespace grpc_cxl::internal {
namespace {

constexpr uint32_t kDefaultOverflowId = 65534;
constexpr ino_t kInitialNamespace = 0xEFFFFFFD;  // USER_NS_INIT_INO of <linux/nsfs.h>
constexpr uint64_t kAllIds = 0xFFFFFFFF;         // 0 to 2^32 - 2; the last number is no user

uint32_t ReadOverflowId(const char* path) {
  std::ifstream file(path);
  uint32_t id;
  return file >> id ? id : kDefaultOverflowId;
}

bool AllAreMapped(const char* map) {
  struct stat own;
  if (stat("/proc/self/ns/user", &own) == 0 && own.st_ino == kInitialNamespace) return true;
  std::ifstream file(map);
  uint64_t inside, outside, count, mapped = 0;
  while (file >> inside >> outside >> count) mapped += count;
  return mapped >= kAllIds;
}

}  // namespace

bool MayBeUnmapped(uid_t uid) {
  static const uid_t overflow = ReadOverflowId("/proc/sys/kernel/overflowuid");
  return uid == overflow && !AllAreMapped("/proc/self/uid_map");
}

bool GroupMayBeUnmapped(gid_t gid) {
  static const gid_t overflow = ReadOverflowId("/proc/sys/kernel/overflowgid");
  return gid == overflow && !AllAreMapped("/proc/self/gid_map");
}

}  // namespace grpc_cxl::internal
