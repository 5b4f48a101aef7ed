// SPDX-License-Identifier: Apache-2.0
#ifndef GRPC_CXL_TEST_COHERENCE_CHECKER_H_
#define GRPC_CXL_TEST_COHERENCE_CHECKER_H_

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"
#include "absl/types/span.h"
#include "grpc_cxl/coherence/private_copy.h"

namespace grpc_cxl::internal {

// Finds missing write-backs and invalidations on a machine whose caches are coherent: one side
// of a connection works on a private copy of the shared memory (the image), and only
// write-backs and invalidations move lines between the two. What was forgotten is then never
// seen, instead of working by luck. Costs a copy for every line.
//
//   side A                     image                     side B
//   copy --WriteBack(line)-->  (shared) --Invalidate(line)--> copy
//
// It also watches rule 1 of SharedView: a line that this side has written back is never
// invalidated here, nor the other way round. That is a CHECK.
//
// Not seen: a missing fence, and caches that fetch or write back a line of their own
// accord.
//
// To prove itself, the checker can leave one site out, a place in the code such as
// "grpc_cxl/ring/ring_writer.cc:72" (DropSite, or GRPC_CXL_DROP_SITE in the environment), tell
// which sites there are (GRPC_CXL_RECORD_SITES names the file to which each is appended when it
// first comes), and call the test before a line moves.
//
// Linking this library makes it what MemoryModel::private_copy means. Thread-safe. A forked
// child has a copy of its own.
class Checker final : public PrivateCopy {
 public:
  // The copy begins with what is in the image now, as a cache might.
  explicit Checker(absl::Span<char> image);
  Checker(const Checker&) = delete;
  Checker& operator=(const Checker&) = delete;
  ~Checker() override;

  absl::Span<char> bytes() const override { return copy_; }
  void WriteBack(const void* begin, size_t bytes, Site site) override;
  void Invalidate(const void* begin, size_t bytes, Site site) override;

  // Of this process, for all checkers; not while other threads use one. `hook` runs before the
  // line of `word`, which lies in a copy, is written back, without any lock held; null: none any
  // more.
  static void DropSite(const std::string& site);
  static void SetHook(const void* word, std::function<void()> hook);

 private:
  enum class Writer : uint8_t { kUnknown, kThisSide, kOtherSide };

  // Claims the lines for `writer`, and calls `move` for each with the lock held.
  template <typename Move>
  void ForEachLine(const void* begin, size_t bytes, Writer writer, Site site, Move move);

  const absl::Span<char> image_;
  const absl::Span<char> copy_;
  // Threads of this side write lines back one after the other: none goes back in time.
  absl::Mutex mu_;
  const std::unique_ptr<Writer[]> writers_;  // of each line; guarded by mu_
};

}  // namespace grpc_cxl::internal

#endif  // GRPC_CXL_TEST_COHERENCE_CHECKER_H_
