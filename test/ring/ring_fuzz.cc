// Fuzzes both ends of a ring against a hostile peer: the bytes are operations of ours and
// words of the peer. Whatever the peer writes, each answer is within the ring's bounds or
// DATA_LOSS, and nothing outside the ring's memory is touched (AddressSanitizer watches).

#include <algorithm>
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

void CheckWithin(const absl::StatusOr<size_t>& count, size_t most) {
  if (count.ok()) {
    CHECK_LE(*count, most);
  } else {
    CHECK(absl::IsDataLoss(count.status())) << count.status();
  }
}

void FuzzWriter(FuzzInput& input, size_t capacity, uint64_t start) {
  RingWriterWords mine{.head = start, .want_space = 0};
  RingReaderWords theirs{.tail = start};
  // On the heap and of exactly this size, so that a write past its end is seen.
  const auto data = std::make_unique<char[]>(capacity);
  RingWriter writer(&mine, &theirs, absl::MakeSpan(data.get(), capacity));
  uint64_t written = 0;
  while (!input.empty()) {
    switch (input.TakeUpTo(5)) {
      case 0:
        theirs.tail = input.TakeWord(start + written);
        break;
      case 1: {
        const std::string bytes(input.TakeUpTo(2 * capacity), 'x');
        const absl::StatusOr<size_t> taken = writer.Write(bytes);
        CheckWithin(taken, std::min(bytes.size(), capacity));
        written += taken.value_or(0);
        break;
      }
      case 2:
        if (writer.Publish() > 0) CHECK_EQ(mine.head.load(), start + written);
        break;
      case 3:
        CheckWithin(writer.Free(), capacity);
        break;
      case 4:
        writer.WantSpace(1 + input.TakeUpTo(capacity - 1));
        CHECK_NE(mine.want_space.load(), 0u);
        break;
      case 5:
        mine.head = input.Take<uint64_t>();  // it can write our words as well; we never look
        writer.ClearWantSpace();
        break;
    }
    CHECK_EQ(writer.position(), start + written);
  }
}

void FuzzReader(FuzzInput& input, size_t capacity, uint64_t start) {
  RingReaderWords mine{.tail = start};
  RingWriterWords theirs{.head = start, .want_space = 0};
  const auto data = std::make_unique<char[]>(capacity);
  RingReader reader(&mine, &theirs, absl::MakeSpan(data.get(), capacity));
  uint64_t consumed = 0, readable = 0;
  while (!input.empty()) {
    switch (input.TakeUpTo(4)) {
      case 0:
        theirs.head = input.TakeWord(start + consumed + capacity);
        break;
      case 1: {
        const absl::StatusOr<size_t> count = reader.Readable();
        CheckWithin(count, capacity);
        if (count.ok()) readable = *count;
        break;
      }
      case 2: {
        const absl::Span<const char> front = reader.Front();
        CHECK_LE(front.size(), readable);
        CHECK_EQ(front.empty(), readable == 0);
        const std::string copy(front.begin(), front.end());
        break;
      }
      case 3: {
        const size_t bytes = input.TakeUpTo(readable);
        reader.Consume(bytes);
        consumed += bytes;
        readable -= bytes;
        break;
      }
      case 4:
        mine.tail = input.Take<uint64_t>();
        theirs.want_space = input.TakeWord(start + consumed);
        reader.WriterWantsWake();
        break;
    }
    CHECK_EQ(reader.position(), start + consumed);
  }
}

}  // namespace
}  // namespace grpc_cxl::internal

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  grpc_cxl::internal::FuzzInput input(data, size);
  const bool writer = input.TakeUpTo(1) == 0;
  const size_t capacity = size_t{1} << input.TakeUpTo(8);
  const uint64_t start = input.TakeWord(0);
  if (writer) {
    grpc_cxl::internal::FuzzWriter(input, capacity, start);
  } else {
    grpc_cxl::internal::FuzzReader(input, capacity, start);
  }
  return 0;
}
