// SPDX-License-Identifier: Apache-2.0
#include "test/coherence/named_file.h"

#include <fcntl.h>
#include <sys/stat.h>

#include <cinttypes>
#include <cstdio>
#include <fstream>
#include <string>

#include "absl/strings/match.h"

namespace grpc_cxl::internal {

std::optional<NamedFile> NamedFileAt(const void* address) {
  const auto wanted = reinterpret_cast<uintptr_t>(address);
  std::ifstream maps("/proc/self/maps");
  for (std::string line; std::getline(maps, line);) {
    uintptr_t begin, end;
    uint64_t offset;
    int path_at = 0;
    if (sscanf(line.c_str(), "%" SCNxPTR "-%" SCNxPTR " %*s %" SCNx64 " %*s %*s %n", &begin, &end,
               &offset, &path_at) != 3 ||
        wanted < begin || wanted >= end) {
      continue;
    }
    const std::string path = line.substr(path_at);
    if (path.empty() || path[0] != '/' || absl::EndsWith(path, " (deleted)")) return std::nullopt;
    NamedFile file;
    struct stat found;
    file.fd = UniqueFd(open(path.c_str(), O_RDWR | O_CLOEXEC));
    if (!file.fd || fstat(file.fd.get(), &found) != 0) return std::nullopt;
    file.identity = {found.st_dev, found.st_ino};
    file.bytes = found.st_size;
    file.offset = offset + (wanted - begin);
    return file;
  }
  return std::nullopt;
}

}  // namespace grpc_cxl::internal
