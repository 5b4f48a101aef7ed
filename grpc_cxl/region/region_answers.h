// SPDX-License-Identifier: Apache-2.0
#ifndef GRPC_CXL_REGION_REGION_ANSWERS_H_
#define GRPC_CXL_REGION_REGION_ANSWERS_H_

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <unordered_set>

#include "absl/base/thread_annotations.h"
#include "absl/status/statusor.h"
#include "absl/synchronization/mutex.h"
#include "grpc_cxl/region/region.h"
#include "grpc_cxl/region/region_beat.h"
#include "grpc_cxl/region/region_connection.h"
#include "grpc_cxl/region/region_entries.h"
#include "grpc_cxl/region/region_listener.h"

namespace grpc_cxl::internal {

// Answers requests, each at any time and at most once, and frees answers that are no longer used.
// Thread-safe.
class RegionAnswers {
 public:
  RegionAnswers(std::shared_ptr<const Region> region, const RegionBeat& beat);

  // Offers the client at least `bytes` bytes of memory on `terms` (sizes, features, coherence).
  // Errors are those of ReserveMemory() and Region::MapZeroed(), and UNAVAILABLE when the client
  // has given up. Zeroes the memory, which takes a while. The connection holds `keep`, which keeps
  // this object alive.
  absl::StatusOr<RegionOffer> Accept(const RegionRequest& request, size_t bytes,
                                     const AnswerRecord& terms, std::shared_ptr<void> keep);
  // Tells the client why it gets no connection.
  void Refuse(const RegionRequest& request, uint32_t refusal, const std::string& reason);

  // Mends this process's entries, and clears up after dead processes of this host. Frees answers of
  // it, and their memory, that neither their owner nor their client uses. Not when another process
  // has the host's lock: then the next call does.
  // From one thread.
  void FreeUnused();

 private:
  // `terms` from this process to the client that made `request`.
  AnswerRecord AnswerTo(const RegionRequest& request, AnswerRecord terms) const;
  // Makes clients look at the answers.
  void Announce() ABSL_EXCLUSIVE_LOCKS_REQUIRED(region_->mutex());
  bool IsOwnerUsing(const AnswerRecord& answer);
  // Until its request is gone.
  bool IsClientUsing(const AnswerRecord& answer);

  const std::shared_ptr<const Region> region_;
  const RegionBeat& beat_;

  absl::Mutex mu_;                                          // taken after a HostLock
  std::unordered_set<uint64_t> live_ ABSL_GUARDED_BY(mu_);  // ids, of this process's connections
};

}  // namespace grpc_cxl::internal

#endif  // GRPC_CXL_REGION_REGION_ANSWERS_H_
