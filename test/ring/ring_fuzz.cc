// SPDX-License-Identifier: Apache-2.0
// Fuzzes a ring in three ways. Each end against a hostile peer: each answer is within the
// ring's bounds or DATA_LOSS, and nothing outside the ring's memory is touched
// (AddressSanitizer watches). And both ends, honest, against the simplest model there is, a
// string of bytes written and not yet read: every order of operations gives the same bytes,
// and a writer that waits for space is woken when it has come.

#include <algorithm>
#include <array>
#include <cstdint>
#include <memory>
#include <string>

#include "absl/log/check.h"
#include "absl/status/status.h"
#include "absl/types/span.h"
#include "grpc_cxl/ring/ring_reader.h"
#include "grpc_cxl/ring/ring_writer.h"
#include "test/fuzz/fuzz_input.h"

namespace grpc_cxl::internal {
namespace {

struct Ring {
  Ring(size_t capacity, uint64_t start)
      : start(start),
        writer_words{.head = start, .want_space = 0},
        reader_words{.tail = start},
        capacity(capacity),
        data(std::make_unique<char[]>(capacity)) {}

  const uint64_t start;
  RingWriterWords writer_words;
  RingReaderWords reader_words;
  const size_t capacity;
  const std::unique_ptr<char[]> data;  // of exactly this size, so that an access past it is seen
  RingWriter writer{&writer_words, &reader_words, absl::MakeSpan(data.get(), capacity)};
  RingReader reader{&reader_words, &writer_words, absl::MakeSpan(data.get(), capacity)};
};

void CheckWithin(const absl::StatusOr<size_t>& count, size_t most) {
  CHECK(count.ok() ? *count <= most : absl::IsDataLoss(count.status())) << count.status();
}

void FuzzWriter(FuzzInput& input, Ring& ring) {
  uint64_t written = 0;
  while (!input.empty()) {
    switch (input.TakeUpTo(5)) {
      case 0:
        ring.reader_words.tail = input.TakeWord(ring.start + written);
        break;
      case 1: {
        const std::string bytes(input.TakeUpTo(2 * ring.capacity), 'x');
        const absl::StatusOr<size_t> taken = ring.writer.Write(bytes);
        CheckWithin(taken, std::min(bytes.size(), ring.capacity));
        written += taken.value_or(0);
        break;
      }
      case 2:
        if (ring.writer.Publish() > 0) {
          CHECK_EQ(ring.writer_words.head.load(), ring.start + written);
        }
        break;
      case 3:
        CheckWithin(ring.writer.Free(), ring.capacity);
        break;
      case 4:
        ring.writer.WantSpace(1 + input.TakeUpTo(ring.capacity - 1));
        CHECK_NE(ring.writer_words.want_space.load(), 0u);
        break;
      default:  // it can write our words as well; we never look
        ring.writer_words.head = input.Take<uint64_t>();
        ring.writer.ClearWantSpace();
    }
    CHECK_EQ(ring.writer.position(), ring.start + written);
  }
}

void FuzzReader(FuzzInput& input, Ring& ring) {
  uint64_t consumed = 0, readable = 0;
  while (!input.empty()) {
    switch (input.TakeUpTo(4)) {
      case 0:
        ring.writer_words.head = input.TakeWord(ring.start + consumed + ring.capacity);
        break;
      case 1: {
        const absl::StatusOr<size_t> count = ring.reader.Readable();
        CheckWithin(count, ring.capacity);
        readable = count.value_or(readable);
        break;
      }
      case 2: {
        const absl::Span<const char> front = ring.reader.Front();
        CHECK_LE(front.size(), readable);
        CHECK_EQ(front.empty(), readable == 0);
        const std::string copy(front.begin(), front.end());
        break;
      }
      case 3: {
        const size_t bytes = input.TakeUpTo(readable);
        ring.reader.Consume(bytes);
        consumed += bytes;
        readable -= bytes;
        break;
      }
      default:
        ring.reader_words.tail = input.Take<uint64_t>();
        ring.writer_words.want_space = input.TakeWord(ring.start + consumed);
        ring.reader.WriterWantsWake();
    }
    CHECK_EQ(ring.reader.position(), ring.start + consumed);
  }
}

void FuzzBoth(FuzzInput& input, Ring& ring) {
  std::string published, unpublished;  // and not yet read
  size_t readable = 0;                 // as the reader counted
  size_t wanted = 0;                   // bytes the writer waits for
  char next = 0;
  while (!input.empty()) {
    const size_t free = ring.capacity - published.size() - unpublished.size();
    switch (input.TakeUpTo(5)) {
      case 0: {
        std::string bytes(input.TakeUpTo(2 * ring.capacity), 0);
        for (char& byte : bytes) byte = next++;
        const size_t taken = *ring.writer.Write(bytes);
        CHECK_EQ(taken, std::min(bytes.size(), free));
        unpublished += bytes.substr(0, taken);
        next -= static_cast<char>(bytes.size() - taken);
        break;
      }
      case 1:
        CHECK_EQ(ring.writer.Publish(), unpublished.size());
        published += unpublished;
        unpublished.clear();
        break;
      case 2:
        readable = *ring.reader.Readable();
        CHECK_LE(readable, published.size());
        CHECK_EQ(readable == 0, published.empty());
        break;
      case 3: {
        const absl::Span<const char> front = ring.reader.Front();
        CHECK_LE(front.size(), readable);
        CHECK(std::equal(front.begin(), front.end(), published.begin()));
        const size_t bytes = input.TakeUpTo(front.size());
        ring.reader.Consume(bytes);
        readable -= bytes;
        published.erase(0, bytes);
        break;
      }
      case 4:
        wanted = 1 + input.TakeUpTo(ring.capacity - 1);
        ring.writer.WantSpace(wanted);
        break;
      default:
        ring.writer.ClearWantSpace();
        wanted = 0;
    }
    if (wanted == 0) CHECK(!ring.reader.WriterWantsWake());
    if (wanted > 0 && ring.capacity - published.size() - unpublished.size() >= wanted) {
      CHECK(ring.reader.WriterWantsWake());
    }
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  FuzzInput input(data, size);
  const auto fuzz = std::to_array({FuzzWriter, FuzzReader, FuzzBoth})[input.TakeUpTo(2)];
  const size_t capacity = size_t{1} << input.TakeUpTo(8);
  Ring ring(capacity, input.TakeWord(0));
  fuzz(input, ring);
  return 0;
}

}  // namespace grpc_cxl::internal
