// SPDX-License-Identifier: Apache-2.0
#include "grpc_cxl/rendezvous/unix_file.h"

#include <string.h>
#include <sys/stat.h>
#include <sys/un.h>

#include <cstddef>
#include <string>

#include "absl/strings/str_cat.h"

namespace grpc_cxl::internal {

std::optional<UnixFile> UnixFile::Of(const sockaddr* address, socklen_t size) {
  constexpr size_t kPath = offsetof(sockaddr_un, sun_path);
  if (size <= kPath || address->sa_family != AF_UNIX) return std::nullopt;
  const char* const path = reinterpret_cast<const sockaddr_un*>(address)->sun_path;
  struct stat found;
  if (path[0] == '\0' ||
      stat(std::string(path, strnlen(path, size - kPath)).c_str(), &found) != 0 ||
      !S_ISSOCK(found.st_mode)) {
    return std::nullopt;
  }
  return UnixFile{.device = found.st_dev, .inode = found.st_ino, .owner = found.st_uid};
}

ServiceName UnixFile::Name() const {
  return ServiceName::Reserved(absl::StrCat("unix=", device, "-", inode));
}

std::optional<sockaddr_un> UnixAddress(absl::string_view path) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (path.empty() || path.size() >= sizeof(address.sun_path)) return std::nullopt;
  path.copy(address.sun_path, path.size());
  return address;
}

}  // namespace grpc_cxl::internal
