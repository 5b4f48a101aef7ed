// SPDX-License-Identifier: Apache-2.0
#include "grpc_cxl/rendezvous/dead_addresses.h"

#include <dirent.h>
#include <fcntl.h>
#include <unistd.h>

#include <memory>
#include <string>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "absl/strings/strip.h"
#include "grpc_cxl/rendezvous/name_listener.h"
#include "grpc_cxl/rendezvous/service_name.h"

namespace grpc_cxl::internal {
namespace {

constexpr size_t kMost = 1000;  // at a time

bool IsAddress(absl::string_view stem) {
  return absl::StartsWith(stem, "tcp=") || absl::StartsWith(stem, "unix=");
}

std::vector<ServiceName> Addresses(const RendezvousDirectory& directory) {
  std::vector<ServiceName> names;
  const int fd = openat(directory.fd(), ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  const std::unique_ptr<DIR, int (*)(DIR*)> list(fd < 0 ? nullptr : fdopendir(fd), closedir);
  if (list == nullptr) {
    if (fd >= 0) close(fd);
    return names;
  }
  while (const dirent* const entry = readdir(list.get())) {
    absl::string_view stem(entry->d_name);
    if (names.size() == kMost) break;
    if (!absl::ConsumeSuffix(&stem, ".lock") || stem.size() > ServiceName::kMaxLength) continue;
    // Those of other rollouts are theirs.
    if (!directory.rollout().empty() &&
        !absl::ConsumeSuffix(&stem, absl::StrCat("~", directory.rollout()))) {
      continue;
    }
    if (absl::StrContains(stem, '~')) continue;
    ServiceName name = ServiceName::Reserved(std::string(stem));
    if (IsAddress(stem)) names.push_back(std::move(name));
  }
  return names;
}

}  // namespace

void RemoveDeadAddresses(const RendezvousDirectory& directory) {
  // Who can have the name has it for a moment, and removes its files. A living owner keeps it.
  for (const ServiceName& name : Addresses(directory)) {
    (void)NameListener::Listen(directory, name);
  }
}

}  // namespace grpc_cxl::internal
