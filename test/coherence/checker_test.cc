// Proves the checker itself: what one side writes the other sees only after a write-back and an
// invalidation, line by line; a line that both sides write ends the process; a site can be left
// out; and both mappings of a forked child are its own.

#include "grpc_cxl/coherence/checker.h"

#include <cstring>
#include <string>
#include <thread>
#include <vector>

#include "grpc_cxl/coherence/cache_lines.h"
#include "gtest/gtest.h"

namespace grpc_cxl::internal {
namespace {

constexpr size_t kLines = 8;
constexpr Site kWrite = Site::kRingBytes;
constexpr Site kRead = Site::kSeeRingBytes;

struct Both {
  alignas(kLineBytes) char image[kLines * kLineBytes] = {};
  Checker a{absl::MakeSpan(image)};
  Checker b{absl::MakeSpan(image)};
};

TEST(CheckerTest, NothingIsSeenWithoutBoth) {
  Both both;
  char* const a = both.a.copy().data();
  char* const b = both.b.copy().data();
  a[3] = 'x';
  both.b.Invalidate(kRead, b, 1);
  EXPECT_EQ(b[3], 0) << "not written back";
  both.a.WriteBack(kWrite, a, 1);
  EXPECT_EQ(both.image[3], 'x');
  EXPECT_EQ(b[3], 0) << "not invalidated";
  both.b.Invalidate(kRead, b, 1);
  EXPECT_EQ(b[3], 'x');
}

TEST(CheckerTest, WholeLinesMoveAndNoOthers) {
  Both both;
  char* const a = both.a.copy().data();
  char* const b = both.b.copy().data();
  memset(a, 'x', kLines * kLineBytes);
  both.a.WriteBack(kWrite, a + 2 * kLineBytes - 1, 2);  // the last byte of one, the first of one
  both.b.Invalidate(kRead, b, kLines * kLineBytes);
  for (size_t i = 0; i < kLines * kLineBytes; ++i) {
    const size_t line = i / kLineBytes;
    ASSERT_EQ(b[i], line == 1 || line == 2 ? 'x' : 0) << i;
  }
}

TEST(CheckerTest, TheCopyBeginsWithTheImage) {
  alignas(kLineBytes) char image[kLineBytes];
  memset(image, 'x', sizeof(image));
  const Checker checker(absl::MakeSpan(image));
  EXPECT_EQ(memcmp(checker.copy().data(), image, sizeof(image)), 0);
}

TEST(CheckerTest, ThreadsOfOneSideDoNotLoseEachOthersStores) {
  Both both;
  auto* const words = reinterpret_cast<std::atomic<uint64_t>*>(both.a.copy().data());
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([&, t] {
      for (int i = 0; i < 10'000; ++i) {
        words[0].fetch_xor(uint64_t{1} << t, std::memory_order_relaxed);
        words[1 + t].store(i, std::memory_order_relaxed);
        both.a.WriteBack(kWrite, words, 1);
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(memcmp(both.image, both.a.copy().data(), kLineBytes), 0);
}

TEST(CheckerDeathTest, ALineWithTwoWriters) {
  GTEST_FLAG_SET(death_test_style, "threadsafe");
  Both both;
  char* const a = both.a.copy().data();
  both.a.WriteBack(kWrite, a, 1);
  EXPECT_DEATH(both.a.Invalidate(kRead, a + 63, 1), "SeeRingBytes: line 0 has two writers");
  both.a.Invalidate(kRead, a + 64, 1);
  EXPECT_DEATH(both.a.WriteBack(kWrite, a + 100, 1), "RingBytes: line 1 has two writers");
  EXPECT_DEATH(both.a.WriteBack(kWrite, both.image, 1), "not in the memory that is checked");
}

TEST(CheckerTest, HooksComeBeforeTheirSite) {
  Both both;
  char* const a = both.a.copy().data();
  a[0] = 'x';
  int calls = 0;
  Checker::SetHook(kWrite, [&] { calls += both.image[0] == 0; });
  both.a.WriteBack(kWrite, a, 1);
  both.b.Invalidate(kRead, both.b.copy().data(), 1);
  Checker::SetHook(kWrite, nullptr);
  both.a.WriteBack(kWrite, a, 1);
  EXPECT_EQ(calls, 1);
}

// Last: it stays left out.
TEST(CheckerZTest, ASiteCanBeLeftOut) {
  Both both;
  char* const a = both.a.copy().data();
  Checker::DropSite(kWrite);
  a[0] = 'x';
  both.a.WriteBack(kWrite, a, 1);
  EXPECT_EQ(both.image[0], 0);
  both.a.WriteBack(Site::kRingHead, a, 1);
  EXPECT_EQ(both.image[0], 'x');
}

}  // namespace
}  // namespace grpc_cxl::internal
