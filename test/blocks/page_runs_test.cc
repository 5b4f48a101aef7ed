// SPDX-License-Identifier: Apache-2.0
// Proves that runs of pages never overlap and are found whenever there are any, the first one
// that fits; that a shorter one is given only when none fits; and that whatever the order in
// which they come back, all pages become one run again. Compared with a plain list of flags
// over a hundred thousand random steps.

#include "grpc_cxl/blocks/page_runs.h"

#include <algorithm>
#include <random>
#include <vector>

#include "gtest/gtest.h"

namespace grpc_cxl::internal {
namespace {

// The same by counting flags.
class Model {
 public:
  explicit Model(uint32_t pages) : used_(pages) {}

  PageRuns::Run Take(uint32_t pages, uint32_t least) {
    PageRuns::Run best;
    for (uint32_t first = 0; first < used_.size();) {
      uint32_t end = first;
      while (end < used_.size() && !used_[end]) ++end;
      const uint32_t length = end - first;
      if (length >= pages) return Mark({first, pages});
      if (length > best.pages) best = {first, length};
      first = std::max(end, first + 1);
    }
    return best.pages >= least ? Mark(best) : PageRuns::Run();
  }
  void Free(PageRuns::Run run) { std::fill_n(used_.begin() + run.first, run.pages, false); }
  uint32_t in_use() const {
    return static_cast<uint32_t>(std::count(used_.begin(), used_.end(), true));
  }

 private:
  PageRuns::Run Mark(PageRuns::Run run) {
    std::fill_n(used_.begin() + run.first, run.pages, true);
    return run;
  }
  std::vector<bool> used_;
};

TEST(PageRunsTest, LikeTheModel) {
  for (const uint32_t pages : {1u, 2u, 7u, 64u, 300u}) {
    std::minstd_rand random(pages);
    PageRuns runs(pages);
    Model model(pages);
    std::vector<PageRuns::Run> taken;
    for (int step = 0; step < 20'000; ++step) {
      if (taken.empty() || random() % 2 == 0) {
        const auto wanted = static_cast<uint32_t>(1 + random() % (pages + 2));
        const auto least = static_cast<uint32_t>(1 + random() % wanted);
        const PageRuns::Run run = runs.Take(wanted, least), expected = model.Take(wanted, least);
        ASSERT_EQ(run.pages, expected.pages);
        if (run.pages == 0) continue;
        ASSERT_EQ(run.first, expected.first);
        taken.push_back(run);
      } else {
        std::swap(taken[random() % taken.size()], taken.back());
        runs.Free(taken.back());
        model.Free(taken.back());
        taken.pop_back();
      }
      ASSERT_EQ(runs.in_use(), model.in_use());
    }
    for (const PageRuns::Run& run : taken) runs.Free(run);
    EXPECT_EQ(runs.in_use(), 0u);
    EXPECT_EQ(runs.Take(pages, pages).pages, pages) << "all in one piece";
  }
}

TEST(PageRunsDeathTest, PagesThatAreFreeCannotBeFreed) {
  PageRuns runs(8);
  const PageRuns::Run run = runs.Take(4, 4);
  EXPECT_DEATH(runs.Free({run.first + 2, 4}), "freed twice");
  runs.Free(run);
  EXPECT_DEATH(runs.Free(run), "freed twice");
  EXPECT_DEATH(runs.Free({7, 2}), "not among");
}

}  // namespace
}  // namespace grpc_cxl::internal
