// SPDX-License-Identifier: Apache-2.0
#ifndef GRPC_CXL_EVENT_ENGINE_NUMBERED_H_
#define GRPC_CXL_EVENT_ENGINE_NUMBERED_H_

#include <map>
#include <memory>
#include <utility>

#include "absl/base/no_destructor.h"
#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"

namespace grpc_cxl::internal {

// Numbers for objects that gRPC cannot carry, in channel arguments and peer(). Thread-safe.
template <typename T>
class Numbered {
 public:
  // From 1 on; none is used again.
  static int Add(std::weak_ptr<T> object) {
    Table& table = TheTable();
    absl::MutexLock lock(table.mu);
    table.objects.emplace(++table.last, std::move(object));
    return table.last;
  }
  static void Remove(int number) {
    Table& table = TheTable();
    absl::MutexLock lock(table.mu);
    table.objects.erase(number);
  }
  // Null when it is gone.
  static std::shared_ptr<T> Find(int number) {
    Table& table = TheTable();
    absl::MutexLock lock(table.mu);
    const auto found = table.objects.find(number);
    return found == table.objects.end() ? nullptr : found->second.lock();
  }

 private:
  struct Table {
    absl::Mutex mu;
    int last ABSL_GUARDED_BY(mu) = 0;
    std::map<int, std::weak_ptr<T>> objects ABSL_GUARDED_BY(mu);
  };
  static Table& TheTable() {
    static absl::NoDestructor<Table> table;
    return *table;
  }
};

}  // namespace grpc_cxl::internal

#endif  // GRPC_CXL_EVENT_ENGINE_NUMBERED_H_
