// SPDX-License-Identifier: Apache-2.0
#ifndef GRPC_CXL_REGION_OWN_ENTRIES_H_
#define GRPC_CXL_REGION_OWN_ENTRIES_H_

#include <cstdint>
#include <map>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/functional/function_ref.h"
#include "absl/synchronization/mutex.h"
#include "absl/types/span.h"
#include "grpc_cxl/base/shared_word.h"

namespace grpc_cxl::internal {

// What this process has written into entries of a region, to mend those that others damage.
// Thread-safe.
class OwnEntries {
 public:
  // `words` of an entry in use, of which the second changes if `second_changes`.
  void Remember(absl::Span<SharedU64> words, bool second_changes);
  // Whether the entry that begins there has this id, or would have it if it were not damaged.
  bool Has(const SharedU64& place, uint64_t id) const;
  // Calls `free`, which frees the entry.
  void Forget(const SharedU64& id, absl::FunctionRef<void()> free);
  // The entry, if it has this id, is of no more use: Mend() frees it.
  void Abandon(const SharedU64& place, uint64_t id);

  // Calls `look` with the words of each entry, then `mended` if they were damaged and have been
  // written anew. Calls `free` with the ids of those abandoned, instead.
  void Mend(absl::FunctionRef<void(absl::Span<SharedU64>)> look,
            absl::FunctionRef<void(absl::Span<SharedU64>)> mended,
            absl::FunctionRef<void(SharedU64&)> free);

 private:
  struct Entry {
    absl::Span<SharedU64> words;
    bool second_changes;
    std::vector<uint64_t> content;
    bool abandoned = false;

    bool Counts(size_t i) const { return i != 1 || !second_changes; }
    bool IsDamaged() const;
  };

  mutable absl::Mutex mu_;
  std::map<const SharedU64*, Entry> entries_ ABSL_GUARDED_BY(mu_);  // by their ids' places
};

}  // namespace grpc_cxl::internal

#endif  // GRPC_CXL_REGION_OWN_ENTRIES_H_
