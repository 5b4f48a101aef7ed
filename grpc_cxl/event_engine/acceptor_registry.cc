// SPDX-License-Identifier: Apache-2.0
#include "grpc_cxl/event_engine/acceptor_registry.h"

#include <map>

#include "absl/base/no_destructor.h"
#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"

namespace grpc_cxl::internal {
namespace {

template <typename T>
class Table {
 public:
  void Add(const void* server, const std::shared_ptr<T>& entry) {
    absl::MutexLock lock(mu_);
    std::erase_if(entries_, [](const auto& old) { return old.second.expired(); });
    entries_.emplace(server, entry);
  }
  std::vector<std::shared_ptr<T>> Find(const void* server) {
    absl::MutexLock lock(mu_);
    std::vector<std::shared_ptr<T>> found;
    const auto [begin, end] = entries_.equal_range(server);
    for (auto it = begin; it != end; ++it) {
      if (std::shared_ptr<T> entry = it->second.lock()) found.push_back(std::move(entry));
    }
    return found;
  }

 private:
  absl::Mutex mu_;
  std::multimap<const void*, std::weak_ptr<T>> entries_ ABSL_GUARDED_BY(mu_);
};

template <typename T>
Table<T>& TableOf() {
  static absl::NoDestructor<Table<T>> table;
  return *table;
}

}  // namespace

void RegisterAcceptor(const void* server, const std::shared_ptr<Acceptor>& acceptor) {
  TableOf<Acceptor>().Add(server, acceptor);
}

std::vector<std::shared_ptr<Acceptor>> FindAcceptors(const void* server) {
  return TableOf<Acceptor>().Find(server);
}

void RegisterAddress(const void* server, const std::shared_ptr<RegisteredAddress>& address) {
  TableOf<RegisteredAddress>().Add(server, address);
}

std::vector<std::shared_ptr<RegisteredAddress>> FindAddresses(const void* server) {
  return TableOf<RegisteredAddress>().Find(server);
}

}  // namespace grpc_cxl::internal
