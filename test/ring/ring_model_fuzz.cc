// Fuzzes a writer and a reader that are both honest against the simplest model there is: a
// string of bytes written and not yet read. Every order of operations gives the same bytes,
// and a writer that waits for space is rung when it has come.

#include <algorithm>
#include <cstdint>
#include <memory>
#include <string>

#include "absl/log/check.h"
#include "absl/types/span.h"
#include "grpc_cxl/ring/ring_reader.h"
#include "grpc_cxl/ring/ring_writer.h"
#include "test/fuzz/fuzz_input.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace grpc_cxl::internal;
  FuzzInput input(data, size);
  const size_t capacity = size_t{1} << input.TakeUpTo(8);
  const uint64_t start = input.TakeWord(0);
  RingWriterWords writer_words{.head = start, .want_space = 0};
  RingReaderWords reader_words{.tail = start};
  const auto memory = std::make_unique<char[]>(capacity);
  RingWriter writer(&writer_words, &reader_words, absl::MakeSpan(memory.get(), capacity));
  RingReader reader(&reader_words, &writer_words, absl::MakeSpan(memory.get(), capacity));

  std::string published, unpublished;  // and not yet read
  size_t readable = 0;                 // as the reader counted
  size_t wanted = 0;                   // bytes the writer waits for
  char next = 0;
  while (!input.empty()) {
    switch (input.TakeUpTo(5)) {
      case 0: {
        std::string bytes(input.TakeUpTo(2 * capacity), 0);
        for (char& byte : bytes) byte = next++;
        const size_t taken = *writer.Write(bytes);
        CHECK_EQ(taken, std::min(bytes.size(), capacity - published.size() - unpublished.size()));
        unpublished += bytes.substr(0, taken);
        next -= static_cast<char>(bytes.size() - taken);
        break;
      }
      case 1:
        CHECK_EQ(writer.Publish(), unpublished.size());
        published += unpublished;
        unpublished.clear();
        break;
      case 2:
        readable = *reader.Readable();
        CHECK_LE(readable, published.size());
        CHECK_EQ(readable == 0, published.empty());
        break;
      case 3: {
        const absl::Span<const char> front = reader.Front();
        CHECK_LE(front.size(), readable);
        CHECK(std::equal(front.begin(), front.end(), published.begin()));
        const size_t bytes = input.TakeUpTo(front.size());
        reader.Consume(bytes);
        readable -= bytes;
        published.erase(0, bytes);
        break;
      }
      case 4:
        wanted = 1 + input.TakeUpTo(capacity - 1);
        writer.WantSpace(wanted);
        break;
      case 5:
        writer.ClearWantSpace();
        wanted = 0;
        break;
    }
    const size_t free = capacity - published.size() - unpublished.size();
    if (wanted > 0 && free >= wanted) CHECK(reader.WriterWantsWake());
    if (wanted == 0) CHECK(!reader.WriterWantsWake());
  }
  return 0;
}
