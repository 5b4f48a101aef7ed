// SPDX-License-Identifier: Apache-2.0
#include "grpc_cxl/direct/call_place.h"

#include <atomic>
#include <cstdint>
#include <cstring>
#include <random>
#include <unordered_map>
#include <utility>

#include "absl/base/no_destructor.h"
#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"

namespace grpc_cxl::internal {
namespace {

struct Table {
  absl::Mutex mu;
  std::unordered_map<std::string, std::weak_ptr<CallPlace>> places ABSL_GUARDED_BY(mu);
  // Their number. relaxed: a call's own place was counted before the call began.
  std::atomic<size_t> count{0};
};

Table& TheTable() {
  static absl::NoDestructor<Table> table;
  return *table;
}

std::string NewName() {
  thread_local std::mt19937_64 random = [] {
    std::random_device device;
    std::seed_seq seed{device(), device(), device(), device()};
    return std::mt19937_64(seed);
  }();
  const uint64_t number = random();
  std::string name(sizeof(number), '\0');
  memcpy(name.data(), &number, sizeof(number));
  return name;
}

}  // namespace

std::shared_ptr<CallPlace> CallPlace::Make(std::shared_ptr<CallCapacity> capacity,
                                           Priority priority) {
  std::shared_ptr<CallPlace> place(new CallPlace(std::move(capacity), priority, NewName()));
  Table& table = TheTable();
  absl::MutexLock lock(table.mu);
  table.places[place->name()] = place;
  table.count.fetch_add(1, std::memory_order_relaxed);
  return place;
}

std::shared_ptr<CallPlace> CallPlace::Find(absl::string_view name) {
  Table& table = TheTable();
  absl::MutexLock lock(table.mu);
  const auto found = table.places.find(std::string(name));
  return found == table.places.end() ? nullptr : found->second.lock();
}

bool CallPlace::Any() { return TheTable().count.load(std::memory_order_relaxed) > 0; }

CallPlace::~CallPlace() {
  {
    Table& table = TheTable();
    absl::MutexLock lock(table.mu);
    table.places.erase(name_);
    table.count.fetch_sub(1, std::memory_order_relaxed);
  }
  capacity_->Release(1, priority_);
}

}  // namespace grpc_cxl::internal
