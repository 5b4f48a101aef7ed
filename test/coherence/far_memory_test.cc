// SPDX-License-Identifier: Apache-2.0

// Proves what distance is charged for, by the charges themselves: they are exact, and the time
// that passes is at least as long. And that real cache instructions leave all bytes as they are.

#include "grpc_cxl/coherence/far_memory.h"

#include <chrono>
#include <cstring>
#include <memory>
#include <string>
#include <thread>

#include "grpc_cxl/base/shared_word.h"
#include "grpc_cxl/coherence/cache_lines.h"
#include "grpc_cxl/coherence/shared_view.h"
#include "gtest/gtest.h"

namespace grpc_cxl::internal {
namespace {

constexpr uint32_t kLoad = 10'000, kStore = 20'000;

struct Memory {
  alignas(kWriterAlignment) SharedU64 word{0};
  SharedU64 neighbour{0};
  alignas(kWriterAlignment) char bytes[4096] = {};
};

class FarMemoryTest : public ::testing::TestWithParam<Coherence> {
 protected:
  static MemoryModel Model() {
    return {.coherence = GetParam(), .distance = {.load_ns = kLoad, .store_ns = kStore, .gbps = 1}};
  }
  // What `access` is charged, and that this time passes.
  template <typename Access>
  int64_t Charged(Access access) {
    const uint64_t before = DistanceCounters::OfProcess().charged_ns;
    const auto start = std::chrono::steady_clock::now();
    access();
    const int64_t passed =
        std::chrono::nanoseconds(std::chrono::steady_clock::now() - start).count();
    const auto charged = static_cast<int64_t>(DistanceCounters::OfProcess().charged_ns - before);
    EXPECT_GE(passed, charged * 95 / 100);
    return charged;
  }

  Memory memory_;
  const std::unique_ptr<FarMemory> far_ = FarMemory::Create(
      Model(), absl::Span<char>(reinterpret_cast<char*>(&memory_), sizeof(memory_)));
  const SharedView view_{far_.get()};
};

INSTANTIATE_TEST_SUITE_P(Coherences, FarMemoryTest,
                         ::testing::Values(Coherence::kCoherent, Coherence::kFlush),
                         [](const ::testing::TestParamInfo<Coherence>& info) {
                           return info.param == Coherence::kFlush ? "flush" : "coherent";
                         });

TEST_P(FarMemoryTest, AWordThatStaysTheSameIsFreeInACoherentCacheOnly) {
  const auto load = [&] { view_.Load(memory_.word, std::memory_order_acquire); };
  EXPECT_EQ(Charged(load), kLoad);
  EXPECT_EQ(Charged(load), GetParam() == Coherence::kFlush ? kLoad : 0);
  memory_.word = 1;
  EXPECT_EQ(Charged(load), kLoad);
  memory_.neighbour = 1;  // in the same line
  EXPECT_EQ(Charged(load), kLoad);
}

TEST_P(FarMemoryTest, StoresAndBytes) {
  EXPECT_EQ(Charged([&] { view_.Store(memory_.word, uint64_t{7}, std::memory_order_release); }),
            kStore);
  EXPECT_EQ(memory_.word, 7u);
  // A core has 48 of the 64 lines under way at a time.
  EXPECT_EQ(Charged([&] { view_.Acquire(memory_.bytes); }), kLoad + 64 * kLoad / 48);
  EXPECT_EQ(Charged([&] { view_.Publish(memory_.bytes); }),
            GetParam() == Coherence::kFlush ? kStore + 64 * kStore / 48 : 64 * kLoad / 48);
  EXPECT_EQ(Charged([&] { view_.Publish({}); }), 0);
}

TEST_P(FarMemoryTest, AStoreIsSeenAfterItsLatency) {
  const auto start = std::chrono::steady_clock::now();
  std::chrono::steady_clock::time_point seen;
  std::thread reader([&] {
    while (memory_.word == 0) {
    }
    seen = std::chrono::steady_clock::now();
  });
  view_.Store(memory_.word, uint64_t{7}, std::memory_order_release);
  reader.join();
  EXPECT_GE(seen - start, std::chrono::nanoseconds(kStore * 95 / 100));
}

TEST(FarMemoryPlainTest, BandwidthIsTheLinksOrTheCores) {
  Memory memory;
  const absl::Span<char> all(reinterpret_cast<char*>(&memory), sizeof(memory));
  const auto charged = [&](const MemoryDistance& distance) {
    const auto far = FarMemory::Create({.distance = distance}, all);
    const uint64_t before = DistanceCounters::OfProcess().charged_ns;
    SharedView(far.get()).Acquire(memory.bytes);
    return DistanceCounters::OfProcess().charged_ns - before;
  };
  EXPECT_EQ(charged({.load_ns = 800, .gbps = 25}), 800 + 64 * 800 / 48);  // 3.8 GB/s
  EXPECT_EQ(charged({.load_ns = 800, .gbps = 25, .lines_in_flight = 1024}), 800 + 4096 / 25);
  EXPECT_EQ(charged({.load_ns = 800, .lines_in_flight = 1}), 800 + 64 * 800);
}

TEST(FarMemoryPlainTest, OneInAHundredIsInTheTail) {
  Memory memory;
  const auto far = FarMemory::Create({.distance = {.store_ns = 10, .tail_ns = 1000}},
                                     {reinterpret_cast<char*>(&memory), sizeof(memory)});
  constexpr int kStores = 100'000;
  int slow = 0, slower = 0;
  for (int i = 0; i < kStores; ++i) {
    const uint64_t before = DistanceCounters::OfProcess().charged_ns;
    far->AwaitStore();
    const uint64_t charged = DistanceCounters::OfProcess().charged_ns - before;
    slow += charged > 10;
    slower += charged > 1010;
    EXPECT_LE(charged, 10u + 4000);
  }
  EXPECT_NEAR(slow, kStores / 100, kStores / 400);
  EXPECT_NEAR(slower, kStores / 1000, kStores / 2000);
}

TEST(FarMemoryPlainTest, WhereMemoryIsCoherentTheOtherCacheIsAsked) {
  for (const bool coherent : {true, false}) {
    Memory memory;
    const auto far =
        FarMemory::Create({.coherence = coherent ? Coherence::kCoherent : Coherence::kFlush,
                           .distance = {.load_ns = 100, .store_ns = 200, .snoop_ns = 1000}},
                          {reinterpret_cast<char*>(&memory), sizeof(memory)});
    const SharedView view(far.get());
    const auto charged = [&](auto access) {
      const uint64_t before = DistanceCounters::OfProcess().charged_ns;
      access();
      return DistanceCounters::OfProcess().charged_ns - before;
    };
    const uint64_t snoop = coherent ? 1000 : 0;
    EXPECT_EQ(charged([&] { view.Load(memory.word, std::memory_order_relaxed); }), 100 + snoop);
    EXPECT_EQ(charged([&] { view.Store(memory.word, uint64_t{1}, std::memory_order_relaxed); }),
              200 + snoop);
    EXPECT_EQ(charged([&] { view.Acquire(memory.bytes); }),
              (100 + snoop) + 64 * (100 + snoop) / 48);
  }
}

TEST_P(FarMemoryTest, AMirrorIsAsOfTheLastLook) {
  const bool flush = GetParam() == Coherence::kFlush;
  const SharedU64* const mirror = view_.Mirror(&memory_.word);
  EXPECT_EQ(mirror == &memory_.word, !flush);
  const auto peek = [&](int i) { return view_.Peek(mirror[i], std::memory_order_acquire); };
  memory_.word = 7;
  memory_.neighbour = 8;
  EXPECT_EQ(peek(0), flush ? 0u : 7u);
  const DistanceCounters& counters = DistanceCounters::OfProcess();
  uint64_t loads = counters.loads;
  EXPECT_EQ(view_.LoadUnlessNew(mirror[0], uint64_t{0}, std::memory_order_acquire), 7u);
  EXPECT_EQ(peek(1), 8u);
  EXPECT_EQ(counters.loads - loads, flush ? 1u : 0u);
  memory_.word = 9;
  loads = counters.loads;
  EXPECT_EQ(view_.LoadUnlessNew(mirror[0], uint64_t{0}, std::memory_order_acquire), flush ? 7u : 9u)
      << "that is news already";
  EXPECT_EQ(counters.loads - loads, flush ? 0u : 1u);
  EXPECT_EQ(view_.Load(mirror[0], std::memory_order_acquire), 9u);
  view_.Store(memory_.word, uint64_t{10}, std::memory_order_release);  // plays the peer
  view_.Refresh(mirror + 1);
  EXPECT_EQ(peek(0), 10u) << "lines move as a whole";
}

TEST_P(FarMemoryTest, BytesOfTwoPlacesTakeOneTrip) {
  const absl::Span<const char> bytes(memory_.bytes);
  const DistanceCounters& counters = DistanceCounters::OfProcess();
  const uint64_t loads = counters.loads, stores = counters.stores;
  EXPECT_EQ(Charged([&] { view_.Acquire(bytes.first(64), bytes.last(128)); }),
            kLoad + 3 * kLoad / 48);
  EXPECT_EQ(counters.loads - loads, 1u);
  view_.Publish(bytes.first(64), bytes.last(128));
  EXPECT_EQ(counters.stores - stores, GetParam() == Coherence::kFlush ? 1u : 0u);
}

TEST_P(FarMemoryTest, ReadModifyWriteOfOwnWords) {
  EXPECT_EQ(view_.FetchAdd(memory_.word, uint64_t{5}, std::memory_order_relaxed), 0u);
  EXPECT_EQ(view_.FetchXor(memory_.word, uint64_t{4}, std::memory_order_relaxed), 5u);
  EXPECT_EQ(memory_.word, 1u);
}

TEST(FarMemoryPlainTest, CoherentAndNearIsNothing) {
  Memory memory;
  EXPECT_EQ(FarMemory::Create({}, {reinterpret_cast<char*>(&memory), sizeof(memory)}), nullptr);
  EXPECT_TRUE(SharedView().coherent());
}

TEST(CacheLinesTest, BytesStayAsTheyAre) {
  if (!CanFlushLines()) GTEST_SKIP() << "this processor has no such instructions";
  std::string text(10'000, '\0');
  for (size_t i = 0; i < text.size(); ++i) text[i] = static_cast<char>(i * 31);
  const std::string copy = text;
  for (const size_t begin : {0, 1, 63, 64, 1000}) {
    for (const size_t bytes : {1, 2, 64, 65, 5000}) {
      const absl::Span<const char> part(text.data() + begin, bytes);
      WriteBackLines(part);
      InvalidateLines(part);
      WriteBackLines(part, absl::MakeSpan(text).first(1));
      InvalidateLines({}, part);
      PrefetchLines(part);
      ASSERT_EQ(text, copy) << begin << " " << bytes;
    }
  }
  EXPECT_NE(WriteBackInstruction(), "none");
}

TEST(CacheLinesTest, StreamedBytesAreThoseAndNoOthers) {
  if (!CanFlushLines()) GTEST_SKIP() << "this processor has no such instructions";
  std::string from(10'000, '\0');
  for (size_t i = 0; i < from.size(); ++i) from[i] = static_cast<char>(i * 31);
  for (const size_t begin : {0, 1, 63, 64, 1000}) {
    for (const size_t source : {0, 7}) {
      for (const size_t bytes : {0, 1, 63, 64, 65, 127, 128, 5000}) {
        std::string to(10'000, '.');
        std::string expected = to;
        expected.replace(begin, bytes, from, source, bytes);
        StreamBytes(to.data() + begin, from.data() + source, bytes);
        ASSERT_EQ(to, expected) << begin << " " << source << " " << bytes;
      }
    }
  }
}

TEST_P(FarMemoryTest, CopiesOfAllSizes) {
  std::string from(sizeof(memory_.bytes), '\0');
  for (size_t i = 0; i < from.size(); ++i) from[i] = static_cast<char>(i * 31);
  for (const size_t bytes : {size_t{0}, size_t{1}, size_t{100}, from.size()}) {
    std::memset(memory_.bytes, 0, sizeof(memory_.bytes));
    view_.Copy(memory_.bytes, absl::MakeConstSpan(from).subspan(0, bytes));
    view_.Publish(absl::MakeConstSpan(memory_.bytes, bytes));
    view_.Acquire(memory_.bytes);
    EXPECT_EQ(std::string(memory_.bytes, bytes), from.substr(0, bytes));
    EXPECT_EQ(std::string(memory_.bytes + bytes, sizeof(memory_.bytes) - bytes),
              std::string(sizeof(memory_.bytes) - bytes, '\0'));
  }
}

}  // namespace
}  // namespace grpc_cxl::internal
