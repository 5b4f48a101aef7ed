// SPDX-License-Identifier: Apache-2.0
#include "grpc_cxl/direct/call_routes.h"

#include <map>
#include <utility>

#include "absl/base/no_destructor.h"

namespace grpc_cxl::internal {
namespace {

struct Table {
  absl::Mutex mu;
  std::map<std::pair<std::string, int>, std::shared_ptr<CallRoutes>> routes ABSL_GUARDED_BY(mu);
};

Table& TheTable() {
  static absl::NoDestructor<Table> table;
  return *table;
}

}  // namespace

std::shared_ptr<CallRoutes> CallRoutes::For(const std::string& name, int settings) {
  Table& table = TheTable();
  absl::MutexLock lock(table.mu);
  std::shared_ptr<CallRoutes>& routes = table.routes[{name, settings}];
  if (routes == nullptr) routes = std::make_shared<CallRoutes>();
  return routes;
}

std::shared_ptr<const CallRoute> CallRoutes::Current() const {
  absl::MutexLock lock(mu_);
  if (current_ == nullptr || !current_->calls->Accepting()) return nullptr;
  return current_;
}

void CallRoutes::Add(std::shared_ptr<const CallRoute> route) {
  absl::MutexLock lock(mu_);
  current_.swap(route);  // the old one is dropped after the lock
}

void CallRoutes::Remove(const ClientCalls* calls) {
  std::shared_ptr<const CallRoute> dropped;
  absl::MutexLock lock(mu_);
  if (current_ != nullptr && current_->calls == calls) dropped.swap(current_);
}

}  // namespace grpc_cxl::internal
