#include "grpc_cxl/direct/client_connection.h"

#include <map>
#include <utility>

#include "absl/base/no_destructor.h"

namespace grpc_cxl {
namespace {

struct Table {
  absl::Mutex mu;
  std::map<std::pair<std::string, int>, std::shared_ptr<ClientLinks>> links ABSL_GUARDED_BY(mu);
};

Table& TheTable() {
  static absl::NoDestructor<Table> table;
  return *table;
}

}  // namespace

std::shared_ptr<ClientLinks> ClientLinks::For(const std::string& name, int options) {
  Table& table = TheTable();
  absl::MutexLock lock(table.mu);
  std::shared_ptr<ClientLinks>& links = table.links[{name, options}];
  if (links == nullptr) links = std::make_shared<ClientLinks>();
  return links;
}

std::shared_ptr<const ClientLink> ClientLinks::Current() const {
  absl::MutexLock lock(mu_);
  if (current_ == nullptr || !current_->calls->Accepting()) return nullptr;
  return current_;
}

void ClientLinks::Add(std::shared_ptr<const ClientLink> link) {
  absl::MutexLock lock(mu_);
  current_.swap(link);  // the old one is dropped after the lock
}

void ClientLinks::Remove(const ClientCalls* calls) {
  std::shared_ptr<const ClientLink> dropped;
  absl::MutexLock lock(mu_);
  if (current_ != nullptr && current_->calls == calls) dropped.swap(current_);
}

}  // namespace grpc_cxl
