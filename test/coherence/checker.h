// SPDX-License-Identifier: Apache-2.0
#ifndef GRPC_CXL_TEST_COHERENCE_CHECKER_H_
#define GRPC_CXL_TEST_COHERENCE_CHECKER_H_

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "absl/types/span.h"
#include "grpc_cxl/coherence/private_copy.h"
#include "test/coherence/host_cache.h"

namespace grpc_cxl::internal {

// Finds missing and misplaced write-backs and invalidations on a machine whose caches are
// coherent: each side works in the simulated caches of its machine (HostCache), which are as lazy
// or as zealous as GRPC_CXL_CACHE_SEED says (CacheAdversary). What was forgotten is then never
// seen, or what should not be seen is, instead of working by luck. Costs two copies for every line.
//
//   side A                     image                     side B
//   copy --WriteBack(line)-->  (shared) --Invalidate(line)--> copy
//
// It also watches rule 1 of SharedView: a line that this view has written back is never
// invalidated through it, nor the other way round. That is a CHECK.
//
// To prove itself, the checker can leave one site out, a place in the code such as
// "grpc_cxl/ring/ring_writer.cc:72", or one call path to it (DropSite, or GRPC_CXL_DROP_SITE in the
// environment; checked_sites.h), tell which sites there are (GRPC_CXL_RECORD_SITES names the file
// to which each is appended when it first comes), and call the test before a line moves.
//
// Linking this library makes it what MemoryModel::private_copy means. Thread-safe.
class Checker final : public PrivateCopy {
 public:
  // See HostCache::Of().
  explicit Checker(absl::Span<char> image, std::optional<uint32_t> machine = std::nullopt);
  Checker(const Checker&) = delete;
  Checker& operator=(const Checker&) = delete;

  absl::Span<char> bytes() const override { return bytes_; }
  void WriteBack(const void* begin, size_t bytes, Site site) override;
  void Invalidate(const void* begin, size_t bytes, Site site) override;
  void Flush(const void* begin, size_t bytes, Site site) override;

  // Of this process, for all checkers; not while other threads use one. `hook` runs before the
  // line of `word`, which lies in a copy, is written back, without any lock held; null: none any
  // more.
  static void DropSite(const std::string& site);
  static void SetHook(const void* word, std::function<void()> hook);

 private:
  enum class Writer : uint8_t { kUnknown, kThisSide, kOtherSide };
  using Move = void (HostCache::*)(size_t first, size_t last);

  // Claims the lines for `writer` and moves them; kUnknown gives the claims up.
  void MoveLines(const void* begin, size_t bytes, Writer writer, Site site, Move move);

  size_t offset_ = 0;  // in the cache
  const std::shared_ptr<HostCache> cache_;
  const absl::Span<char> bytes_;
  const std::unique_ptr<Writer[]> writers_;  // of each line; with the cache locked
};

}  // namespace grpc_cxl::internal

#endif  // GRPC_CXL_TEST_COHERENCE_CHECKER_H_
