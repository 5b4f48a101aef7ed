#ifndef GRPC_CXL_TEST_RING_SHARED_RING_H_
#define GRPC_CXL_TEST_RING_SHARED_RING_H_

#include <cstddef>
#include <cstdint>
#include <new>

#include "absl/log/check.h"
#include "absl/types/span.h"
#include "grpc_cxl/arena/arena.h"
#include "grpc_cxl/ring/ring_layout.h"

namespace grpc_cxl::internal {

// The words and the memory of one ring in pages that a forked child shares.
class SharedRing {
 public:
  // The ring has come as far as `position`.
  explicit SharedRing(size_t capacity, uint64_t position = 0)
      : arena_(MakeArena(sizeof(Words) + capacity)),
        words_(new (arena_.data()) Words{}),
        data_(arena_.data() + sizeof(Words), capacity) {
    words_->writer.head = position;
    words_->reader.tail = position;
  }

  RingWriterWords* writer_words() { return &words_->writer; }
  RingReaderWords* reader_words() { return &words_->reader; }
  absl::Span<char> data() { return data_; }
  // All of it.
  absl::Span<char> image() { return {arena_.data(), arena_.size()}; }

 private:
  struct Words {
    RingWriterWords writer;
    RingReaderWords reader;
  };

  static Arena MakeArena(size_t bytes) {
    absl::StatusOr<Arena> arena = Arena::Create(bytes, {});
    CHECK_OK(arena);
    return *std::move(arena);
  }

  Arena arena_;
  Words* const words_;
  const absl::Span<char> data_;
};

}  // namespace grpc_cxl::internal

#endif  // GRPC_CXL_TEST_RING_SHARED_RING_H_
