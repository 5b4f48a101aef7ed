// SPDX-License-Identifier: Apache-2.0
#ifndef GRPC_CXL_COHERENCE_SHARED_VIEW_H_
#define GRPC_CXL_COHERENCE_SHARED_VIEW_H_

#include <atomic>
#include <cstddef>
#include <cstring>

#include "absl/base/optimization.h"
#include "absl/types/span.h"
#include "grpc_cxl/coherence/far_memory.h"
#include "grpc_cxl/coherence/private_copy.h"

namespace grpc_cxl::internal {

// Access to memory that another process writes or reads. Rings, blocks, doorbells, links and calls
// all go through it, and it alone knows whether caches see each other.
//
//                     coherent             flush
//   Copy(bytes)       copy                 copy, past the caches if there is much
//   Publish(bytes)    -                    write their lines back, wait
//   Store(word)       store                store, write its line back, wait
//   Refresh(line)     -                    drop the line, wait
//   Load(word)        load                 drop its line, wait; load
//   Peek(word)        load                 load, as of the last drop
//   Acquire(bytes)    -                    drop their lines, wait
//   Flush(bytes)      -                    write their lines back, drop them, wait
//
// So a message is published with Publish(bytes), Store(flag), and read with Load(flag),
// Acquire(bytes). "Wait" is for this host's own order: the lines are in memory, or the load
// will come from there. The memory order that a call is given is that of the access itself,
// and still pairs with the other side's as if memory were coherent.
//
// Each call names its place in the code (`site`) to a PrivateCopy; nothing else looks at that.
//
// Behind a Fence, which says whether the memory is still ours, Store(), FetchXor() and FetchAdd()
// store nothing once it is not. Who writes bytes asks Holds() first, and who has read bytes asks it
// before believing them.
//
// The rules that make this sound where caches do not see each other:
//
//   1. A line (64 bytes) is written by one host only. No host then ever writes back, with its
//      own words, old copies of another's. Hence kWriterAlignment, and no read-modify-write
//      on a word that the other end writes. The checker enforces it.
//   2. Own words may be read and modified at will, by all threads of the process: within one
//      host caches are coherent, so a line that is written back has every thread's stores up
//      to then, and never goes back in time. FetchXor() and FetchAdd() are such.
//   3. In one line, a word that says that others are good has the lowest offset. The line
//      travels as a whole; but the checker moves it word by word.
//   4. "My store, then your word" (Dekker): Store() has the line in memory before the
//      FullFence() that follows, and Load() goes to memory after it. Of the two sides'
//      write-backs one is in memory first; the other side's load comes after its own
//      write-back, so it sees it.
//   5. Caches keep lines for longer than connections, processes and formats of a region live.
//      Before a host's first look at memory that had other users, and before others get what it
//      has used, it calls Flush(): nothing old is read, and nothing old is written back later.
//   6. A stale line causes delay, never a wrong result: words only move on, and a reader of an
//      old value looks again.
//
// shared_view.pml is a model of the caches and of what rules 3 to 5 rest on.
//
// If a process dies between a write and its write-back, the other side sees an older state
// that was whole. Between payload and flag: nothing was sent.
//
// Default: coherent memory, not far away; then every call is the plain access behind one
// branch. A value, as large as a pointer. Thread-safe.
class SharedView {
 public:
  SharedView() = default;
  // `far` may be null (as by default), and must outlive this.
  explicit SharedView(FarMemory* far) : far_(far) {}

  // Whether a word that one end stores is seen by the other without further ado, so that
  // a kernel can sleep on it.
  bool coherent() const { return far_ == nullptr || far_->coherent(); }

  // Whether the memory is still this connection's. False means that it ends.
  bool Holds() const { return ABSL_PREDICT_TRUE(far_ == nullptr) || far_->Holds(); }

  // The line of `words`, which the peer writes, is up to date from here on.
  void Refresh(const void* words, Site site = Site::current()) const {
    if (ABSL_PREDICT_FALSE(far_ != nullptr)) far_->Refresh(words, site);
  }
  // A word that the peer writes.
  template <typename T>
  T Load(const std::atomic<T>& word, std::memory_order order, Site site = Site::current()) const {
    Refresh(&word, site);
    return word.load(order);
  }

  // The same, as of when its line was last dropped by any thread. Costs no trip to memory; who
  // looks again and again makes one Refresh() and then peeks at all words of the line.
  template <typename T>
  T Peek(const std::atomic<T>& word, std::memory_order order) const {
    if (coherent()) Refresh(&word, Site());
    return word.load(order);
  }
  // What Peek() tells if that is not `known`, else Load(): a line is dropped when all that it tells
  // is known, not before.
  template <typename T>
  T LoadUnlessNew(const std::atomic<T>& word, T known, std::memory_order order,
                  Site site = Site::current()) const {
    const T value = Peek(word, order);
    return value != known || coherent() ? value : Load(word, order, site);
  }

  // A copy in private memory of a line that the peer writes, to be read in its place: Refresh() and
  // Load() of its words drop the line and copy it, so that nobody who peeks waits for memory. Where
  // caches see each other, the line itself. One for each memory; of a Line of SharedU64.
  template <typename Line>
  const Line* Mirror(const Line* line) const {
    if (coherent()) return line;
    return static_cast<const Line*>(far_->Mirror(line));
  }

  // Words that only this process writes.
  template <typename T>
  void Store(std::atomic<T>& word, T value, std::memory_order order,
             Site site = Site::current()) const {
    if (!MayStore()) return;
    word.store(value, order);
    WriteBack(&word, site);
  }
  template <typename T>
  T FetchXor(std::atomic<T>& word, T bits, std::memory_order order,
             Site site = Site::current()) const {
    if (!MayStore()) return word.load(std::memory_order_relaxed);
    const T before = word.fetch_xor(bits, order);
    WriteBack(&word, site);
    return before;
  }
  template <typename T>
  T FetchAdd(std::atomic<T>& word, T more, std::memory_order order,
             Site site = Site::current()) const {
    if (!MayStore()) return word.load(std::memory_order_relaxed);
    const T before = word.fetch_add(more, order);
    WriteBack(&word, site);
    return before;
  }

  // memcpy() into bytes that Publish() is to follow; faster than that in flush mode. `to` must not
  // be read again soon.
  void Copy(char* to, absl::Span<const char> from) const {
    if (from.empty()) return;
    if (ABSL_PREDICT_TRUE(far_ == nullptr)) {
      std::memcpy(to, from.data(), from.size());
    } else {
      far_->Copy(to, from);
    }
  }
  // Bytes that this process has written, before the word that tells of them; `more` in the same
  // trip.
  void Publish(absl::Span<const char> bytes, Site site = Site::current()) const {
    Publish(bytes, {}, site);
  }
  void Publish(absl::Span<const char> bytes, absl::Span<const char> more,
               Site site = Site::current()) const {
    if (ABSL_PREDICT_FALSE(far_ != nullptr)) far_->Publish(bytes, more, site);
  }
  // Bytes that the peer has written, after the word that tells of them; `more` in the same trip.
  void Acquire(absl::Span<const char> bytes, Site site = Site::current()) const {
    Acquire(bytes, {}, site);
  }
  void Acquire(absl::Span<const char> bytes, absl::Span<const char> more,
               Site site = Site::current()) const {
    if (ABSL_PREDICT_FALSE(far_ != nullptr)) far_->Acquire(bytes, more, site);
  }
  // Bytes that either side may have written, before this host's first use of them, or after its
  // last.
  void Flush(absl::Span<const char> bytes, Site site = Site::current()) const {
    if (ABSL_PREDICT_FALSE(far_ != nullptr)) far_->Flush(bytes, site);
  }

 private:
  // After the time that the store takes, so that nobody sees it earlier.
  bool MayStore() const {
    if (ABSL_PREDICT_TRUE(far_ == nullptr)) return true;
    far_->AwaitStore();
    return far_->Holds();
  }
  void WriteBack(const void* word, Site site) const {
    if (ABSL_PREDICT_FALSE(far_ != nullptr)) far_->WriteBack(word, site);
  }

  FarMemory* far_ = nullptr;
};

}  // namespace grpc_cxl::internal

#endif  // GRPC_CXL_COHERENCE_SHARED_VIEW_H_
