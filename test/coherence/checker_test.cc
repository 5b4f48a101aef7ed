// SPDX-License-Identifier: Apache-2.0

// Proves what checker_mutation_test does not: what one side writes the other sees only after a
// write-back and an invalidation; a line that both sides write ends the process; caches outlive
// mappings, and act of their own accord by a seed.

#include "test/coherence/checker.h"

#include <fcntl.h>

#include <atomic>
#include <cstring>
#include <fstream>
#include <string>
#include <thread>
#include <vector>

#include "absl/strings/str_cat.h"
#include "grpc_cxl/arena/arena.h"
#include "grpc_cxl/base/shared_word.h"
#include "grpc_cxl/base/unique_fd.h"
#include "grpc_cxl/coherence/cache_lines.h"
#include "gtest/gtest.h"
#include "test/coherence/cache_adversary.h"
#include "test/coherence/host_cache.h"
#include "test/support/eventually.h"
#include "test/support/temporary_directory.h"

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

// Two mappings of one file, as of two processes of a machine or of one after the other.
TEST(CheckerTest, ACacheOutlivesItsMappings) {
  const TemporaryDirectory directory;
  const std::string path = directory.path() + "/memory";
  std::ofstream(path) << std::string(kPageBytes, 'a');
  const UniqueFd fd(open(path.c_str(), O_RDWR));
  const auto map = [&] { return *Arena::AttachPart(fd.get(), 0, kPageBytes); };
  const auto span = [](const Arena& arena) { return absl::MakeSpan(arena.data(), arena.size()); };
  {
    const Arena mapping = map();
    const Checker first(span(mapping), 1);
    first.bytes()[0] = 'b';
  }
  const Arena mapping = map();
  Checker same(span(mapping), 1), other(span(mapping), 2);
  EXPECT_EQ(same.bytes()[0], 'b');
  EXPECT_EQ(other.bytes()[0], 'a');
  EXPECT_EQ(mapping.data()[0], 'a') << "nobody asked";
  HostCache::EvictAll();
  EXPECT_EQ(mapping.data()[0], 'b');
  mapping.data()[1] = 'c';
  same.bytes()[2] = 'd';
  same.Flush(same.bytes().data(), 1, kRead);
  EXPECT_EQ(std::string(mapping.data(), 3), "bad") << "old words of a line that was written to";
  other.Flush(other.bytes().data(), 1, kRead);
  EXPECT_EQ(std::string(other.bytes().data(), 3), "bad");
}

// With a seed, lines move although nobody asked, and none is lost.
TEST(CheckerTest, AnAdversaryEvictsAndFetches) {
  for (const uint64_t seed : {1, 2}) {
    CacheAdversary::SetSeed(seed);
    Both both;
    std::atomic_ref<char> written(both.at_a[3]), fetched(both.at_a[kLineBytes + 3]);
    std::atomic_ref<char> image(both.image[3]), next(both.image[kLineBytes + 3]);
    both.a.WriteBack(both.at_a, 1, kWrite);
    both.a.Invalidate(both.at_a + kLineBytes, 1, kRead);
    written = 'x';
    next = 'y';
    EXPECT_TRUE(Eventually([&] {
      if (seed == 2) both.a.Flush(both.at_a + 2 * kLineBytes, 1, kRead);
      return image == 'x' && fetched == 'y';
    })) << seed;
    EXPECT_EQ(written, 'x');
  }
  CacheAdversary::SetSeed(0);
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
