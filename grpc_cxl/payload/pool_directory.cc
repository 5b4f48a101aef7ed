// SPDX-License-Identifier: Apache-2.0
#include "grpc_cxl/payload/pool_directory.h"

#include <atomic>
#include <unordered_map>

#include "absl/base/no_destructor.h"
#include "absl/base/thread_annotations.h"
#include "absl/strings/str_cat.h"
#include "absl/synchronization/mutex.h"

namespace grpc_cxl::internal {
namespace {

struct Directory {
  // Whether there has been a pool: processes without one take no lock for their messages. Stored by
  // EnterPool(); loaded by FindPool(), which may be late.
  std::atomic<bool> used{false};
  absl::Mutex mu;
  std::unordered_map<std::string, std::weak_ptr<BlockPool>> pools ABSL_GUARDED_BY(mu);
};

Directory& TheDirectory() {
  static absl::NoDestructor<Directory> directory;
  return *directory;
}

}  // namespace

std::string ClientPoolKey(const std::string& name, int options) {
  return absl::StrCat("client of ", name, " ", options);
}

std::string ServerPoolKey(const std::string& peer) { return absl::StrCat("server of ", peer); }

void EnterPool(const std::string& key, const std::shared_ptr<BlockPool>& pool) {
  if (pool == nullptr || key.empty()) return;
  Directory& directory = TheDirectory();
  absl::MutexLock lock(directory.mu);
  // Keys of processes that are gone do not pile up.
  std::erase_if(directory.pools, [](const auto& entry) { return entry.second.expired(); });
  directory.pools[key] = pool;
  directory.used.store(true, std::memory_order_relaxed);  // loaded by FindPool()
}

std::shared_ptr<BlockPool> FindPool(const std::string& key) {
  Directory& directory = TheDirectory();
  if (!directory.used.load(std::memory_order_relaxed)) return nullptr;  // stored by EnterPool()
  absl::MutexLock lock(directory.mu);
  const auto it = directory.pools.find(key);
  return it == directory.pools.end() ? nullptr : it->second.lock();
}

}  // namespace grpc_cxl::internal
