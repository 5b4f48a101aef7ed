// Proves that a link loses neither a byte nor a wake-up: two ends send and receive at the
// same time, messages of random sizes, ten million in all, mostly small and now and then
// larger than the ring, so that readers sleep for bytes and writers for space on both sides
// under every wait policy. Every byte is checked. A lost wake-up shows as an end that could
// go on and is not rung; the test then fails with all the shared words instead of hanging.

#include <cstdio>
#include <string>

#include "absl/strings/str_cat.h"
#include "absl/time/time.h"
#include "grpc_cxl/doorbell/spin_budget.h"
#include "gtest/gtest.h"
#include "test/link/link_pair.h"
#include "test/link/random_link_end.h"
#include "test/support/both_sides.h"

namespace grpc_cxl::internal {
namespace {

// A sanitizer makes every step many times slower.
#if defined(__SANITIZE_THREAD__) || defined(__SANITIZE_ADDRESS__)
constexpr uint64_t kShare = 50;
#else
constexpr uint64_t kShare = 1;
#endif

struct Config {
  std::string name;
  World world;
  WaitPolicy policy;
  uint64_t messages;  // each way
};

class LinkStressTest : public ::testing::TestWithParam<Config> {};

TEST_P(LinkStressTest, NoByteAndNoWakeUpIsLost) {
  const Config& config = GetParam();
  LinkPair pair(4 << 10);
  const auto run = [&](bool server) -> std::string {
    if (config.world == World::kProcesses) (server ? pair.client : pair.server).reset();
    Link& link = server ? *pair.server : *pair.client;
    RandomLinkEnd end(link, SpinBudget(config.policy, absl::Microseconds(20)), server ? 1 : 2,
                      [&] { return pair.State(); });
    const std::string error = end.Exchange(config.messages / kShare);
    if (!error.empty()) link.Close();  // so that the other end does not wait for us
    const LinkCounters& counters = link.counters();
    printf("  %-18s %-6s slept %8lu times, rang %8lu times, ring full %8lu times\n",
           config.name.c_str(), server ? "server" : "client", end.naps(), counters.wakes.load(),
           counters.full_waits.load());
    fflush(stdout);
    if (error.empty() && end.naps() < config.messages / kShare / 10'000) {
      return absl::StrCat("it slept only ", end.naps(), " times; nothing was tested");
    }
    return error;
  };
  EXPECT_EQ(RunBothSides(
                config.world, [&] { return run(true); }, [&] { return run(false); }),
            "");
}

constexpr uint64_t kMillion = 1'000'000;

INSTANTIATE_TEST_SUITE_P(
    Policies, LinkStressTest,
    ::testing::Values(Config{"spin", World::kProcesses, WaitPolicy::kSpin, kMillion},
                      Config{"adaptive", World::kProcesses, WaitPolicy::kAdaptive, 2 * kMillion},
                      Config{"park", World::kProcesses, WaitPolicy::kPark, 3 * kMillion / 2},
                      Config{"threads_adaptive", World::kThreads, WaitPolicy::kAdaptive, kMillion},
                      Config{"threads_park", World::kThreads, WaitPolicy::kPark, kMillion}),
    [](const ::testing::TestParamInfo<Config>& info) { return info.param.name; });

}  // namespace
}  // namespace grpc_cxl::internal
