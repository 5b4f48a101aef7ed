// SPDX-License-Identifier: Apache-2.0
#include "grpc_cxl/event_engine/acceptor_registry.h"

#include <map>

#include "absl/base/no_destructor.h"
#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"

namespace grpc_cxl::internal {
namespace {

struct Table {
  absl::Mutex mu;
  std::multimap<const void*, std::weak_ptr<Acceptor>> acceptors ABSL_GUARDED_BY(mu);
};

Table& TheTable() {
  static absl::NoDestructor<Table> table;
  return *table;
}

}  // namespace

void RegisterAcceptor(const void* server, const std::shared_ptr<Acceptor>& acceptor) {
  Table& table = TheTable();
  absl::MutexLock lock(table.mu);
  std::erase_if(table.acceptors, [](const auto& entry) { return entry.second.expired(); });
  table.acceptors.emplace(server, acceptor);
}

std::vector<std::shared_ptr<Acceptor>> FindAcceptors(const void* server) {
  Table& table = TheTable();
  absl::MutexLock lock(table.mu);
  std::vector<std::shared_ptr<Acceptor>> found;
  const auto [begin, end] = table.acceptors.equal_range(server);
  for (auto it = begin; it != end; ++it) {
    if (std::shared_ptr<Acceptor> acceptor = it->second.lock()) found.push_back(acceptor);
  }
  return found;
}

}  // namespace grpc_cxl::internal
