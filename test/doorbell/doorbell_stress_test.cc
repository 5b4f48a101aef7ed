// Proves that no wake-up is lost: millions of 8-byte messages, each with its own publish
// and its own decision whether to ring, pass between two processes (and two threads, for
// the sanitizers) that fall asleep at random moments on both sides; all of them arrive, in
// order. A lost wake-up shows as a sleeper that could go on and gets no byte; the test then
// fails with the state of all words instead of hanging.

#include <stdlib.h>

#include <chrono>
#include <cstdio>
#include <optional>
#include <ostream>
#include <random>
#include <string>

#include "absl/log/check.h"
#include "absl/strings/str_cat.h"
#include "absl/time/time.h"
#include "grpc_cxl/doorbell/spin_budget.h"
#include "gtest/gtest.h"
#include "test/doorbell/sleeping_pipe.h"
#include "test/support/both_sides.h"

namespace grpc_cxl::internal {
namespace {

// A sanitizer makes every step many times slower.
#if defined(__SANITIZE_THREAD__)
constexpr uint64_t kShare = 50;
#elif defined(__SANITIZE_ADDRESS__)
constexpr uint64_t kShare = 5;
#else
constexpr uint64_t kShare = 1;
#endif

struct Config {
  std::string name;
  World world;
  WaitPolicy policy;
  uint64_t messages;
};

void PrintTo(const Config& config, std::ostream* out) { *out << config.name; }

SpinBudget Budget(const Config& config) {
  return SpinBudget(config.policy, absl::Microseconds(50));
}

// The lowest bit of a message asks for a reply.
std::string SendAll(const Config& config, SleepingPipe& pipe) {
  SleepyEnd end(pipe, 0, config.world == World::kProcesses, Budget(config));
  std::minstd_rand random(7);
  uint64_t until_reply = 1, replies = 0;
  for (uint64_t i = 0; i < config.messages; ++i) {
    const bool reply = --until_reply == 0 || i + 1 == config.messages;
    if (absl::Status status = end.Send(2 * i + reply); !status.ok()) return status.ToString();
    if (!reply) continue;
    ++replies;
    absl::StatusOr<uint64_t> received = end.Receive();
    if (!received.ok()) return received.status().ToString();
    if (*received != i + 1) return absl::StrCat(i + 1, " sent, ", *received, " arrived");
    until_reply = 1 + random() % 256;
  }
  printf("  %-28s %9lu messages, %8lu replies, sender slept %7lu times\n", config.name.c_str(),
         config.messages, replies, end.naps());
  if (end.naps() < replies / 1000) return "the sender hardly slept; nothing was tested";
  return "";
}

std::string ReceiveAll(const Config& config, SleepingPipe& pipe) {
  SleepyEnd end(pipe, 1, config.world == World::kProcesses, Budget(config));
  for (uint64_t i = 0; i < config.messages; ++i) {
    absl::StatusOr<uint64_t> received = end.Receive();
    if (!received.ok()) return received.status().ToString();
    if (*received / 2 != i) return absl::StrCat("message ", *received / 2, " instead of ", i);
    if (*received % 2 == 0) continue;
    if (absl::Status status = end.Send(i + 1); !status.ok()) return status.ToString();
  }
  printf("  %-28s receiver slept %7lu times\n", config.name.c_str(), end.naps());
  fflush(stdout);
  return "";
}

class DoorbellStressTest : public ::testing::TestWithParam<Config> {};

TEST_P(DoorbellStressTest, NoWakeUpIsLost) {
  Config config = GetParam();
  config.messages /= kShare;
  SleepingPipe pipe;
  EXPECT_EQ(RunBothSides(
                config.world, [&] { return SendAll(config, pipe); },
                [&] { return ReceiveAll(config, pipe); }),
            "");
}

constexpr uint64_t kMillion = 1'000'000;

// More than ten million between processes. Fewest while spinning: on a machine with other
// work each wait then lasts until the scheduler takes the spinner off its core.

INSTANTIATE_TEST_SUITE_P(
    Policies, DoorbellStressTest,
    ::testing::Values(Config{"spin", World::kProcesses, WaitPolicy::kSpin, kMillion / 2},
                      Config{"adaptive", World::kProcesses, WaitPolicy::kAdaptive, 5 * kMillion},
                      Config{"park", World::kProcesses, WaitPolicy::kPark, 5 * kMillion},
                      Config{"threads_adaptive", World::kThreads, WaitPolicy::kAdaptive, kMillion},
                      Config{"threads_park", World::kThreads, WaitPolicy::kPark, kMillion}),
    [](const ::testing::TestParamInfo<Config>& info) { return info.param.name; });

}  // namespace
}  // namespace grpc_cxl::internal
