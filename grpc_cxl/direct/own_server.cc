// SPDX-License-Identifier: Apache-2.0
#include "grpc_cxl/direct/own_server.h"

#include <map>

#include "absl/base/no_destructor.h"

namespace grpc_cxl::internal {
namespace {

struct Table {
  absl::Mutex mu;
  std::map<OwnServer::File, std::weak_ptr<OwnServer>> servers ABSL_GUARDED_BY(mu);
};

}  // namespace

std::shared_ptr<OwnServer> OwnServer::Of(const File& file) {
  static absl::NoDestructor<Table> table;
  absl::MutexLock lock(table->mu);
  std::weak_ptr<OwnServer>& known = table->servers[file];
  std::shared_ptr<OwnServer> server = known.lock();
  if (server != nullptr) return server;
  server = std::make_shared<OwnServer>();
  known = server;
  std::erase_if(table->servers, [](const auto& entry) { return entry.second.expired(); });
  return server;
}

}  // namespace grpc_cxl::internal
