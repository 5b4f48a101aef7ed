#ifndef GRPC_CXL_COHERENCE_CHECKER_H_
#define GRPC_CXL_COHERENCE_CHECKER_H_

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"
#include "absl/types/span.h"
#include "grpc_cxl/coherence/site.h"

namespace grpc_cxl::internal {

// Finds missing write-backs and invalidations on a machine whose caches are coherent: one side
// of a connection works on a private copy of the shared memory (the image), and only
// write-backs and invalidations move lines between the two. What was forgotten is then never
// seen, instead of working by luck. For tests; costs a copy for every line.
//
//   side A                     image                     side B
//   copy --WriteBack(line)-->  (shared) --Invalidate(line)--> copy
//
// It also watches rule 1 of SharedView: a line that this side has written back is never
// invalidated here, nor the other way round. That is a CHECK.
//
// What it cannot see: a missing fence, and caches that fetch or write back a line of their own
// accord.
//
// To prove itself, the checker can leave one site out (DropSite, or GRPC_CXL_DROP_FLUSH=name
// in the environment), and call the test before one.
//
// Thread-safe. A forked child has a copy of its own.
class Checker {
 public:
  // The copy begins with what is in the image now, as a cache might.
  explicit Checker(absl::Span<char> image);
  Checker(const Checker&) = delete;
  Checker& operator=(const Checker&) = delete;
  ~Checker();

  absl::Span<char> copy() const { return copy_; }

  // The lines of these bytes of the copy.
  void WriteBack(Site site, const void* begin, size_t bytes);
  void Invalidate(Site site, const void* begin, size_t bytes);

  // Of this process, for all checkers. `hook` runs before every access at `site`, without any
  // lock held; null: none any more. Not while other threads use a checker.
  static void DropSite(Site site);
  static void SetHook(Site site, std::function<void()> hook);

 private:
  enum class Writer : uint8_t { kUnknown, kThisSide, kOtherSide };

  // Claims the lines for `writer`, and calls `move` for each with the lock held.
  template <typename Move>
  void ForEachLine(Site site, const void* begin, size_t bytes, Writer writer, Move move);

  const absl::Span<char> image_;
  const absl::Span<char> copy_;
  // Threads of this side write lines back one after the other: none goes back in time.
  absl::Mutex mu_;
  const std::unique_ptr<Writer[]> writers_ ABSL_PT_GUARDED_BY(mu_);  // of each line
};

}  // namespace grpc_cxl::internal

#endif  // GRPC_CXL_COHERENCE_CHECKER_H_
