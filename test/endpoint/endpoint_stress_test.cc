// SPDX-License-Identifier: Apache-2.0
// Proves that an endpoint never stalls: both directions of several connections at once,
// writes and reads of random size from threads of their own, with pauses in which the
// pollers fall asleep, under every wait policy; and with messages of up to 256 KiB in an arena
// that is far too small for them, while the receivers hold on to some of their slices. Every
// byte is checked, and at the end no block is in use. When nothing moves for a minute although
// an operation is pending, that is a lost wake-up, and the test prints all the shared words.

#include <chrono>
#include <deque>
#include <memory>
#include <random>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "absl/log/check.h"
#include "absl/strings/string_view.h"
#include "gtest/gtest.h"
#include "test/endpoint/endpoint_pair.h"
#include "test/link/stream_bytes.h"
#include "test/support/budget.h"

namespace grpc_cxl::internal {
namespace {

struct Config {
  std::string name;
  WaitPolicy policy;
  size_t connections, ring_bytes, payload_bytes;
  uint64_t bytes;  // each way of each connection
  int sizes;       // messages have up to 2 << this bytes, small ones as often as large ones
};

// A pause now and then: long enough for a poller to fall asleep, or just not.
void MaybePause(std::minstd_rand& random) {
  switch (random() % 64) {
    case 0:
      return std::this_thread::sleep_for(std::chrono::microseconds(random() % 400));
    case 1:
    case 2:
      return std::this_thread::yield();
  }
}

class EndpointStressTest : public ::testing::TestWithParam<Config> {
 protected:
  void Write(const LinkPair& link, EventEngine::Endpoint& endpoint, uint32_t seed) {
    std::minstd_rand random(seed);
    for (uint64_t written = 0; written < bytes_;) {
      SliceBuffer data;
      for (size_t slices = 1 + random() % 3; slices > 0; --slices) {
        const uint64_t size = random() % (size_t{2} << random() % GetParam().sizes);
        Append(data, TextAt(written, std::min(size, bytes_ - written)));
        written += std::min(size, bytes_ - written);
      }
      Outcome outcome;
      if (!endpoint.Write(outcome.Callback(), &data, {})) {
        CHECK_OK(outcome.Wait()) << "a write" << link.State();  // it uses `data`
      }
      MaybePause(random);
    }
  }

  void Read(const LinkPair& link, EventEngine::Endpoint& endpoint, uint32_t seed) {
    std::minstd_rand random(seed);
    std::deque<SliceBuffer> kept;
    uint64_t checked = 0;
    const auto check = [&] {
      const std::string text = ToString(kept.front());
      CHECK(text == TextAt(checked, text.size())) << "near " << checked << link.State();
      checked += text.size();
      kept.pop_front();
    };
    for (uint64_t received = 0; received < bytes_;) {
      CHECK_OK(ReadSlices(endpoint, &kept.emplace_back())) << "a read" << link.State();
      received += kept.back().Length();
      while (kept.size() > random() % 6) check();  // late, when it could have changed
      MaybePause(random);
    }
    while (!kept.empty()) check();
    EXPECT_EQ(checked, bytes_);
  }

  const uint64_t bytes_ = Budget(GetParam().bytes);
};

TEST_P(EndpointStressTest, NothingIsLostAndNothingHangs) {
  const Config& config = GetParam();
  std::vector<std::unique_ptr<EndpointPair>> pairs;
  std::vector<std::thread> threads;
  for (uint32_t i = 0; i < config.connections; ++i) {
    EndpointPair& pair = *pairs.emplace_back(
        std::make_unique<EndpointPair>(config.ring_bytes, config.policy, config.payload_bytes));
    const uint32_t seed = 10 * i;
    threads.emplace_back([&, seed] { Write(pair.link, *pair.client, seed + 1); });
    threads.emplace_back([&, seed] { Write(pair.link, *pair.server, seed + 2); });
    threads.emplace_back([&, seed] { Read(pair.link, *pair.client, seed + 3); });
    threads.emplace_back([&, seed] { Read(pair.link, *pair.server, seed + 4); });
  }
  for (std::thread& thread : threads) thread.join();
  for (const auto& pair : pairs) EXPECT_TRUE(NothingInUse(*pair));
}

INSTANTIATE_TEST_SUITE_P(
    Policies, EndpointStressTest,
    ::testing::Values(Config{"spin", WaitPolicy::kSpin, 3, 4 << 10, 0, 4 << 20, 12},
                      Config{"adaptive", WaitPolicy::kAdaptive, 3, 4 << 10, 0, 4 << 20, 12},
                      Config{"park", WaitPolicy::kPark, 3, 4 << 10, 0, 4 << 20, 12},
                      Config{"blocks", WaitPolicy::kAdaptive, 1, 16 << 10, 128 << 10, 40 << 20,
                             17}),
    [](const auto& info) { return info.param.name; });

}  // namespace
}  // namespace grpc_cxl::internal
