// SPDX-License-Identifier: Apache-2.0
#include "grpc_cxl/region/own_entries.h"

#include <utility>

namespace grpc_cxl::internal {

void OwnEntries::Remember(absl::Span<SharedU64> words, bool second_changes) {
  Entry entry{.words = words, .second_changes = second_changes, .content = {}, .abandoned = false};
  // relaxed, here and below: of entries that this process writes, and others only by mistake.
  for (const SharedU64& word : words) entry.content.push_back(word.load(std::memory_order_relaxed));
  absl::MutexLock lock(mu_);
  entries_.insert_or_assign(words.data(), std::move(entry));
}

bool OwnEntries::Has(const SharedU64& place, uint64_t id) const {
  absl::MutexLock lock(mu_);
  const auto it = entries_.find(&place);
  return it != entries_.end() && it->second.content[0] == id;
}

void OwnEntries::Forget(const SharedU64& id, absl::FunctionRef<void()> free) {
  absl::MutexLock lock(mu_);
  entries_.erase(&id);
  free();
}

void OwnEntries::Abandon(const SharedU64& place, uint64_t id) {
  absl::MutexLock lock(mu_);
  const auto it = entries_.find(&place);
  if (it != entries_.end() && it->second.content[0] == id) it->second.abandoned = true;
}

void OwnEntries::Mend(absl::FunctionRef<void(absl::Span<SharedU64>)> look,
                      absl::FunctionRef<void(absl::Span<SharedU64>)> mended,
                      absl::FunctionRef<void(SharedU64&)> free) {
  absl::MutexLock lock(mu_);
  std::erase_if(entries_, [free](auto& entry) {
    if (entry.second.abandoned) free(entry.second.words[0]);
    return entry.second.abandoned;
  });
  for (const auto& [place, entry] : entries_) {
    look(entry.words);
    if (!entry.IsDamaged()) continue;
    for (size_t i = entry.words.size(); i-- > 0;) {
      // Release: fields before the id. Matched by the loads of ReadEntry().
      if (entry.Counts(i)) entry.words[i].store(entry.content[i], std::memory_order_release);
    }
    mended(entry.words);
  }
}

bool OwnEntries::Entry::IsDamaged() const {
  for (size_t i = 0; i < words.size(); ++i) {
    if (Counts(i) && words[i].load(std::memory_order_relaxed) != content[i]) return true;
  }
  return false;
}

}  // namespace grpc_cxl::internal
