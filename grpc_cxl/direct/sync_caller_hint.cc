// SPDX-License-Identifier: Apache-2.0
#include "grpc_cxl/direct/sync_caller_hint.h"

#include <cstddef>
#include <cstdint>
#include <utility>

namespace grpc_cxl::internal {
namespace {

struct Entry {
  const char* method = nullptr;
  bool waits = false;
};

constexpr size_t kEntries = 16;
thread_local Entry entries[kEntries];

// Methods that share an entry evict each other; an eviction costs a hop between threads.
Entry& EntryOf(const char* method) {
  return entries[reinterpret_cast<uintptr_t>(method) / 8 % kEntries];
}

}  // namespace

bool TakeSyncCallerHint(const char* method) {
  Entry& entry = EntryOf(method);
  return entry.method == method && std::exchange(entry.waits, false);
}

void SetSyncCallerHint(const char* method, bool waits) { EntryOf(method) = {method, waits}; }

}  // namespace grpc_cxl::internal
