// SPDX-License-Identifier: Apache-2.0

// A ring of bytes, beside memcpy() of the same bytes in and out, and beside the round trip of a
// bare word between two processes.

#include <benchmark/benchmark.h>

#include <atomic>
#include <cstring>
#include <string>
#include <vector>

#include "absl/log/check.h"
#include "absl/types/span.h"
#include "bench/micro/limits.h"
#include "bench/micro/peer_process.h"
#include "grpc_cxl/ring/ring_reader.h"
#include "grpc_cxl/ring/ring_writer.h"

namespace grpc_cxl::bench {
namespace {

constexpr size_t kCapacity = 512 << 10;  // the default of a connection

struct Ring {
  internal::RingWriterWords writer;
  internal::RingReaderWords reader;
  char data[kCapacity];
};

internal::RingWriter WriterOf(Ring* ring) {
  return internal::RingWriter(&ring->writer, &ring->reader, absl::MakeSpan(ring->data));
}
internal::RingReader ReaderOf(Ring* ring) {
  return internal::RingReader(&ring->reader, &ring->writer, absl::MakeConstSpan(ring->data));
}

void Send(internal::RingWriter& writer, absl::Span<const char> message) {
  const auto written = writer.Write(message);
  CHECK_OK(written.status());
  CHECK_EQ(*written, message.size());
  writer.Publish();
}

// Copies the next message out; false when the ring is empty. REQUIRES: a message is complete.
bool Receive(internal::RingReader& reader, absl::Span<char> message) {
  const auto readable = reader.Readable();
  CHECK_OK(readable.status());
  if (*readable == 0) return false;
  for (size_t done = 0; done < message.size();) {
    const absl::Span<const char> piece = reader.Front().subspan(0, message.size() - done);
    memcpy(message.data() + done, piece.data(), piece.size());
    done += piece.size();
    reader.Consume(piece.size());
  }
  return true;
}

void WriteAndRead(benchmark::State& state) {
  const Shared<Ring> ring;
  internal::RingWriter writer = WriterOf(ring.get());
  internal::RingReader reader = ReaderOf(ring.get());
  std::vector<char> message(state.range(0), 'x');
  for (auto _ : state) {
    Send(writer, message);
    CHECK(Receive(reader, absl::MakeSpan(message)));
  }
  state.SetBytesProcessed(state.iterations() * message.size());
}

void PingPong(benchmark::State& state) {
  const Shared<Ring> there, back;
  std::vector<char> message(state.range(0), 'x');
  const PeerProcess peer([&] {
    internal::RingReader reader = ReaderOf(there.get());
    internal::RingWriter writer = WriterOf(back.get());
    for (;;) {
      while (!Receive(reader, absl::MakeSpan(message))) {
      }
      Send(writer, message);
    }
  });
  internal::RingWriter writer = WriterOf(there.get());
  internal::RingReader reader = ReaderOf(back.get());
  for (auto _ : state) {
    Send(writer, message);
    while (!Receive(reader, absl::MakeSpan(message))) {
    }
  }
}

BENCHMARK(WriteAndRead)->Name("ring/write_and_read")->Arg(64)->Arg(4096)->Arg(65536);
BENCHMARK(LimitMemcpy)
    ->Name("ring/limit/memcpy_in_and_out")
    ->Args({64, 2})
    ->Args({4096, 2})
    ->Args({65536, 2});
BENCHMARK(PingPong)->Name("ring/ping_pong_of_spinning_processes")->Arg(64)->UseRealTime();
BENCHMARK(LimitSharedWord)->Name("ring/limit/shared_word_ping_pong")->UseRealTime();

}  // namespace
}  // namespace grpc_cxl::bench
