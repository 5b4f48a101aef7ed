// SPDX-License-Identifier: Apache-2.0
#include "grpc_cxl/rendezvous/dead_addresses.h"

#include <string>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "absl/strings/strip.h"
#include "grpc_cxl/rendezvous/name_files.h"
#include "grpc_cxl/rendezvous/name_listener.h"
#include "grpc_cxl/rendezvous/service_name.h"

namespace grpc_cxl::internal {
namespace {

constexpr size_t kMost = 1000;  // at a time

bool IsAddress(absl::string_view stem) {
  return absl::StartsWith(stem, "tcp=") || absl::StartsWith(stem, "unix=") ||
         absl::StartsWith(stem, "offer=");
}

std::vector<ServiceName> Addresses(const RendezvousDirectory& directory) {
  const std::string& rollout = directory.rollout();
  const std::string suffix = rollout.empty() ? ".lock" : absl::StrCat("~", rollout, ".lock");
  std::vector<ServiceName> names;
  ForEachFile(directory, [&](absl::string_view stem) {
    if (!absl::ConsumeSuffix(&stem, suffix) || stem.size() > ServiceName::kMaxLength) return true;
    // Those of other rollouts are theirs.
    if (IsAddress(stem) && !absl::StrContains(stem, '~')) {
      names.push_back(ServiceName::Reserved(std::string(stem)));
    }
    return names.size() < kMost;
  });
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
