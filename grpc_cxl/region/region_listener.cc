// SPDX-License-Identifier: Apache-2.0
#include "grpc_cxl/region/region_listener.h"

#include <algorithm>
#include <optional>
#include <utility>

#include "absl/strings/str_cat.h"
#include "grpc_cxl/region/dead_processes.h"
#include "grpc_cxl/region/membership.h"
#include "grpc_cxl/region/region_allocator.h"

namespace grpc_cxl::internal {

RegionListener::RegionListener(std::shared_ptr<const Region> region, const ProcessRef& self)
    : region_(std::move(region)),
      self_(self),
      requests_seen_(region_->hosts(), UINT64_MAX),
      taken_(region_->hosts(), std::vector<uint64_t>(kHostRequests, 0)) {}

absl::Status RegionListener::CheckIsFree(const std::string& name) const {
  for (uint32_t i = 0; i < kHostNames; ++i) {
    const auto other = ReadName(*region_, region_->host(), i);
    if (!other.has_value() || other->text != name) continue;
    const uint32_t pid = PidOf(*region_, other->owner);
    const std::string who = pid == 0 ? "another process" : absl::StrCat("process ", pid);
    return absl::AlreadyExistsError(absl::StrCat("it is already served on host ", region_->host(),
                                                 " of the region \"", region_->path(), "\" by ",
                                                 who, "; stop that server or choose another name"));
  }
  return absl::OkStatus();
}

absl::StatusOr<uint64_t> RegionListener::Listen(const std::string& name, OnRequest on_request) {
  const Region::HostLock host_lock(*region_);
  ClearUpAfterTheDead(*region_, &self_);
  if (absl::Status status = CheckIsFree(name); !status.ok()) return status;
  const uint32_t index = FindFreeName(*region_);
  if (index == kHostNames) {
    return absl::ResourceExhaustedError(absl::StrCat("host ", region_->host(), " of the region \"",
                                                     region_->path(), "\" serves ", kHostNames,
                                                     " names already, and cannot serve more"));
  }
  NameRecord record{.id = 0, .owner = self_, .text = name};
  WriteName(*region_, index, record);
  absl::MutexLock lock(mu_);
  const uint64_t number = next_number_++;
  names_[number] =
      std::make_shared<ServedName>(ServedName{index, record.id, std::move(on_request)});
  look_at_all_ = true;
  return number;
}

void RegionListener::StopListening(uint64_t number) {
  std::shared_ptr<ServedName> name;
  {
    absl::MutexLock lock(mu_);
    const auto it = names_.find(number);
    if (it == names_.end()) return;
    name = std::move(it->second);
    names_.erase(it);
  }
  Membership::FreeOwn(*region_, self_, region_->mine().names[name->index].id, name->id);
  absl::MutexLock lock(mu_);
  if (callback_thread_ == std::this_thread::get_id()) return;
  const auto done = [&]() ABSL_SHARED_LOCKS_REQUIRED(mu_) { return in_callback_of_ != number; };
  mu_.Await(absl::Condition(&done));
}

bool RegionListener::IsListening() {
  absl::MutexLock lock(mu_);
  return !names_.empty();
}

bool RegionListener::LookForRequests() {
  ServedNames names;
  {
    absl::MutexLock lock(mu_);
    if (names_.empty()) return false;
    names = names_;
    if (std::exchange(look_at_all_, false)) {
      std::fill(requests_seen_.begin(), requests_seen_.end(), UINT64_MAX);
    }
  }
  bool found = false;
  for (uint32_t host = 0; host < region_->hosts(); ++host) found |= LookAt(host, names);
  return found;
}

bool RegionListener::LookAt(uint32_t host, const ServedNames& names) {
  // Matched by the store in RegionConnector::Ask(): requests that were made before it are in the
  // table.
  const uint64_t made = region_->Load(host, region_->control(host).words.requests_made);
  if (made == requests_seen_[host]) return false;
  requests_seen_[host] = made;
  bool found = false;
  for (uint32_t i = 0; i < kHostRequests; ++i) {
    const auto request = ReadRequest(*region_, host, i);
    if (!request.has_value() || request->id == taken_[host][i]) continue;
    if (request->to_host != region_->host() || request->state != RequestState::kOpen) continue;
    const auto it = std::find_if(names.begin(), names.end(), [&](const auto& entry) {
      return entry.second->index == request->to_name && entry.second->id == request->to_name_id;
    });
    if (it == names.end() || request->owner.index >= kHostProcesses) continue;
    taken_[host][i] = request->id;
    const uint32_t pid = PidOf(*region_, request->owner);
    found |= Call(it->first, *it->second, {.index = i, .record = *request, .pid = pid});
  }
  return found;
}

bool RegionListener::Call(uint64_t number, const ServedName& name, const RegionRequest& request) {
  {
    absl::MutexLock lock(mu_);
    if (names_.count(number) == 0) return false;  // stopped meanwhile
    in_callback_of_ = number;
    callback_thread_ = std::this_thread::get_id();
  }
  name.on_request(request);
  absl::MutexLock lock(mu_);
  in_callback_of_ = 0;
  return true;
}

}  // namespace grpc_cxl::internal
