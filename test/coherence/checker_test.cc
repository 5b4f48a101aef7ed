// SPDX-License-Identifier: Apache-2.0

// Proves what checker_mutation_test does not: what one side writes the other sees only after a
// write-back and an invalidation; a line that both sides write ends the process.

#include "test/coherence/checker.h"

#include <atomic>
#include <cstring>
#include <string>
#include <thread>
#include <vector>

#include "absl/strings/str_cat.h"
#include "grpc_cxl/coherence/cache_lines.h"
#include "gtest/gtest.h"

namespace grpc_cxl::internal {
namespace {

constexpr size_t kLines = 8;
constexpr Site kWrite = Site::current();
constexpr Site kRead = Site::current();

struct Both {
  alignas(kLineBytes) char image[kLines * kLineBytes] = {};
  Checker a{absl::MakeSpan(image)};
  Checker b{absl::MakeSpan(image)};
  char* const at_a = a.bytes().data();
  char* const at_b = b.bytes().data();
};

std::string Text(Site site, const std::string& what) {
  return absl::StrCat("checker_test.cc:", site.line(), what);
}

TEST(CheckerTest, NothingIsSeenWithoutBoth) {
  Both both;
  both.at_a[3] = 'x';
  both.b.Invalidate(both.at_b, 1, kRead);
  EXPECT_EQ(both.at_b[3], 0) << "not written back";
  both.a.WriteBack(both.at_a, 1, kWrite);
  EXPECT_EQ(both.image[3], 'x');
  EXPECT_EQ(both.at_b[3], 0) << "not invalidated";
  both.b.Invalidate(both.at_b, 1, kRead);
  EXPECT_EQ(both.at_b[3], 'x');
}

TEST(CheckerTest, ThreadsOfOneSideDoNotLoseEachOthersStores) {
  Both both;
  auto* const words = reinterpret_cast<std::atomic<uint64_t>*>(both.at_a);
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([&, t] {
      for (int i = 0; i < 10'000; ++i) {
        words[0].fetch_xor(uint64_t{1} << t, std::memory_order_relaxed);
        words[1 + t].store(i, std::memory_order_relaxed);
        both.a.WriteBack(words, 1, kWrite);
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(memcmp(both.image, both.at_a, kLineBytes), 0);
}

TEST(CheckerDeathTest, ALineWithTwoWriters) {
  GTEST_FLAG_SET(death_test_style, "threadsafe");
  Both both;
  both.a.WriteBack(both.at_a, 1, kWrite);
  EXPECT_DEATH(both.a.Invalidate(both.at_a + 63, 1, kRead),
               Text(kRead, ": line 0 has two writers"));
  both.a.Invalidate(both.at_a + 64, 1, kRead);
  EXPECT_DEATH(both.a.WriteBack(both.at_a + 100, 1, kWrite),
               Text(kWrite, ": line 1 has two writers"));
  EXPECT_DEATH(both.a.WriteBack(both.image, 1, kWrite), "not in the memory that is checked");
}

}  // namespace
}  // namespace grpc_cxl::internal
