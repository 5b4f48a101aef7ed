// SPDX-License-Identifier: Apache-2.0
#include "grpc_cxl/region/region_servers.h"

#include <optional>

#include "absl/strings/str_cat.h"

namespace grpc_cxl::internal {

RegionServers::RegionServers(std::shared_ptr<const Region> region, const ProcessRef& self)
    : region_(std::move(region)), self_(self) {}

absl::StatusOr<RegionServer> RegionServers::Find(const std::string& name) {
  bool died = false;
  for (uint32_t i = 0; i < region_->hosts(); ++i) {
    // This host first; the others in order.
    const uint32_t host = i == 0 ? region_->host() : i <= region_->host() ? i - 1 : i;
    const HostControl& control = region_->control(host);
    if (region_->Load(host, control.words.opened) == 0) continue;
    for (uint32_t j = 0; j < kHostNames; ++j) {
      const std::optional<NameRecord> record = ReadName(*region_, host, j);
      if (!record.has_value() || record->text != name) continue;
      std::shared_ptr<PeerLease> lease = LeaseOf(host, j, *record);
      if (!lease->Expired()) return RegionServer{host, j, record->id, std::move(lease)};
      died = true;
    }
  }
  return absl::UnavailableError(died ? absl::StrCat("the server of \"", name, "\" in the region \"",
                                                    region_->path(), "\" is dead")
                                     : absl::StrCat("no process serves \"", name,
                                                    "\" in the region \"", region_->path(),
                                                    "\" (GRPC_CXL_REGION)"));
}

std::shared_ptr<PeerLease> RegionServers::LeaseOf(uint32_t host, uint32_t index,
                                                  const NameRecord& name) {
  absl::MutexLock lock(mu_);
  RegionServer& known = known_[{host, index}];
  if (known.lease == nullptr || known.name_id != name.id) {
    known = {host, index, name.id, std::make_shared<PeerLease>(region_, self_, name.owner)};
  }
  return known.lease;
}

}  // namespace grpc_cxl::internal
