// SPDX-License-Identifier: Apache-2.0
#include "grpc_cxl/rendezvous/replica_name.h"

#include <fcntl.h>
#include <sys/stat.h>

#include <string>
#include <utility>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "grpc_cxl/rendezvous/dial.h"
#include "grpc_cxl/rendezvous/name_files.h"
#include "grpc_cxl/rendezvous/tcp_address.h"

namespace grpc_cxl::internal {
namespace {

// As ReplicaName() writes it, and no other way.
std::optional<int> ParseNumber(absl::string_view text) {
  int number;
  if (!absl::SimpleAtoi(text, &number) || number < 0 || number >= kMostReplicas ||
      absl::StrCat(number) != text) {
    return std::nullopt;
  }
  return number;
}

// Every replica that lives holds the lock of this file (name_lock.h).
bool HasLockFile(const RendezvousDirectory& directory, const ServiceName& service) {
  struct stat found;
  return fstatat(directory.fd(), absl::StrCat(FileStem(directory, service), ".lock").c_str(),
                 &found, AT_SYMLINK_NOFOLLOW) == 0;
}

}  // namespace

bool MayHaveReplicas(const ServiceName& name) {
  return ServiceName::Parse(name.str()).ok() || AddressOfName(name).has_value();
}

ServiceName ReplicaName(const ServiceName& service, int number) {
  return ServiceName::Reserved(absl::StrCat(service.str(), "=", number));
}

std::optional<ServiceName> ParseReplicaName(absl::string_view text) {
  const size_t at = text.rfind('=');
  if (at == absl::string_view::npos) return std::nullopt;
  const std::optional<int> number = ParseNumber(text.substr(at + 1));
  const ServiceName service = ServiceName::Reserved(std::string(text.substr(0, at)));
  if (!number.has_value() || !MayHaveReplicas(service)) return std::nullopt;
  return ReplicaName(service, *number);
}

ServiceName ServiceOf(const ServiceName& name) {
  if (!IsReplicaName(name)) return name;
  return ServiceName::Reserved(name.str().substr(0, name.str().rfind('=')));
}

std::vector<ServiceName> FindReplicas(const RendezvousDirectory& directory,
                                      const ServiceName& service) {
  std::vector<ServiceName> found;
  if (!MayHaveReplicas(service) || !HasLockFile(directory, service)) return found;
  for (int number = 0; number < kMostReplicas; ++number) {
    ServiceName name = ReplicaName(service, number);
    if (IsRegistered(directory, name)) found.push_back(std::move(name));
  }
  return found;
}

}  // namespace grpc_cxl::internal
