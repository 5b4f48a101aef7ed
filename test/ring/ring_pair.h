// SPDX-License-Identifier: Apache-2.0
#ifndef GRPC_CXL_TEST_RING_RING_PAIR_H_
#define GRPC_CXL_TEST_RING_RING_PAIR_H_

#include <cstddef>
#include <cstdint>

#include "absl/types/span.h"
#include "grpc_cxl/ring/ring_reader.h"
#include "grpc_cxl/ring/ring_writer.h"
#include "test/coherence/test_view.h"

namespace grpc_cxl::internal {

// What both ends share. A test plays a hostile end by writing the words itself.
struct RingImage {
  static constexpr size_t kCapacity = 16;

  RingWriterWords writer_words;
  RingReaderWords reader_words;
  alignas(kWriterAlignment) char data[kWriterAlignment] = {};  // the ring has the first 16
};

// Both ends of a ring that has come as far as `position`, each with a view of its own.
struct RingPair : RingImage {
  explicit RingPair(uint64_t position = 0)
      : RingImage{.writer_words = {.head = position, .want_space = 0},
                  .reader_words = {.tail = position}} {}

  RingWriter MakeWriter() {
    return RingWriter(writing.At(&writer_words), writing.At(&reader_words),
                      writing.At(absl::MakeSpan(data, kCapacity)), writing.view());
  }
  RingReader MakeReader() {
    return RingReader(reading.At(&reader_words), reading.At(&writer_words),
                      reading.At(absl::MakeConstSpan(data, kCapacity)), reading.view());
  }

  // Each side has the other's words as they are now.
  void Look() {
    writing.view().Refresh(writing.At(&reader_words));
    reading.view().Refresh(reading.At(&writer_words));
  }

  TestView writing{static_cast<RingImage*>(this)};
  TestView reading{static_cast<RingImage*>(this)};
  RingWriter writer = MakeWriter();
  RingReader reader = MakeReader();
};

}  // namespace grpc_cxl::internal

#endif  // GRPC_CXL_TEST_RING_RING_PAIR_H_
