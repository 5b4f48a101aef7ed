// SPDX-License-Identifier: Apache-2.0
#include "grpc_cxl/event_engine/acceptor_registry.h"

#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <utility>

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

struct TakenNames {
  absl::Mutex mu;
  std::set<std::pair<const void*, std::string>> names ABSL_GUARDED_BY(mu);
};

TakenNames& TheTakenNames() {
  static absl::NoDestructor<TakenNames> names;
  return *names;
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

void RegisterNetworkListener(const void* server, const std::shared_ptr<NetworkListener>& listener) {
  TableOf<NetworkListener>().Add(server, listener);
}

std::vector<std::shared_ptr<NetworkListener>> FindNetworkListeners(const void* server) {
  return TableOf<NetworkListener>().Find(server);
}

std::shared_ptr<ServerCapacity> CapacityOf(const void* server, const ServerSettings& settings) {
  // A server that is no credentials' has nothing that would find it.
  std::shared_ptr<ServerCapacity> capacity = server == nullptr ? nullptr : FindCapacity(server);
  if (capacity == nullptr) {
    capacity = std::make_shared<ServerCapacity>();
    TableOf<ServerCapacity>().Add(server, capacity);
  }
  capacity->calls->SetAtFirst(static_cast<uint32_t>(settings.capacity));
  if (settings.adaptive_capacity) capacity->calls->Adapt();
  return capacity;
}

std::shared_ptr<ServerCapacity> FindCapacity(const void* server) {
  const auto found = TableOf<ServerCapacity>().Find(server);
  return found.empty() ? nullptr : found.front();
}

bool TakeName(const void* server, const ServiceName& name) {
  TakenNames& taken = TheTakenNames();
  absl::MutexLock lock(taken.mu);
  return taken.names.emplace(server, name.str()).second;
}

void GiveNameBack(const void* server, const ServiceName& name) {
  TakenNames& taken = TheTakenNames();
  absl::MutexLock lock(taken.mu);
  taken.names.erase({server, name.str()});
}

}  // namespace grpc_cxl::internal
