// Proves that an endpoint never stalls: both directions of several connections at once,
// writes and reads of random size from threads of their own, with pauses in which the
// pollers fall asleep, under every wait policy. Every byte is checked. When nothing moves
// for 20 s although an operation is pending, that is a lost wake-up, and the test prints
// all the shared words.

#include <atomic>
#include <chrono>
#include <cstdio>
#include <functional>
#include <limits>
#include <memory>
#include <random>
#include <string>
#include <thread>
#include <vector>

#include "absl/functional/any_invocable.h"
#include "absl/functional/function_ref.h"
#include "absl/log/check.h"
#include "absl/log/log.h"
#include "absl/strings/str_cat.h"
#include "absl/synchronization/notification.h"
#include "absl/time/time.h"
#include "gtest/gtest.h"
#include "test/endpoint/endpoint_pair.h"
#include "test/link/random_link_end.h"

namespace grpc_cxl::internal {
namespace {

constexpr size_t kRing = 4 << 10;
constexpr size_t kConnections = 3;
constexpr auto kDuration = std::chrono::seconds(3);

// Waits for an operation of `start(callback)`, as Read() and Write() take it, or ends the
// process with what `state` tells: threads that hang cannot be joined.
absl::Status Await(absl::FunctionRef<bool(absl::AnyInvocable<void(absl::Status)>)> start,
                   const std::function<std::string()>& state) {
  absl::Notification called;
  absl::Status status;
  if (start([&](absl::Status s) {
        status = std::move(s);
        called.Notify();
      })) {
    return absl::OkStatus();
  }
  if (!called.WaitForNotificationWithTimeout(absl::Seconds(20))) {
    LOG(FATAL) << "an operation hangs: " << state();
  }
  return status;
}

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

struct Flow {
  uint64_t bytes = 0;
  uint64_t operations = 0;
};

// `total` is known before the last byte is written: when that has been read, so has it.
Flow Write(EventEngine::Endpoint& endpoint, uint32_t seed, const std::atomic<bool>& stop,
           std::atomic<uint64_t>& total, const std::function<std::string()>& state) {
  std::minstd_rand random(seed);
  Flow flow;
  for (bool last = false; !last;) {
    last = stop.load(std::memory_order_relaxed);
    SliceBuffer data;
    for (size_t slices = last ? 1 : 1 + random() % 3; slices > 0; --slices) {
      const size_t most = random() % 32 == 0 ? 3 * kRing : 200;
      std::string text(last ? 1 : random() % most, '\0');
      for (char& byte : text) byte = ByteAt(flow.bytes++);
      Append(data, text);
    }
    if (last) total.store(flow.bytes);
    CHECK_OK(Await([&](auto done) { return endpoint.Write(std::move(done), &data, {}); }, state));
    ++flow.operations;
    MaybePause(random);
  }
  return flow;
}

// Until all is read; CHECKs every byte.
Flow Read(EventEngine::Endpoint& endpoint, uint32_t seed, const std::atomic<uint64_t>& total,
          const std::function<std::string()>& state) {
  std::minstd_rand random(seed);
  Flow flow;
  while (flow.bytes != total.load()) {
    SliceBuffer data;
    CHECK_OK(Await([&](auto done) { return endpoint.Read(std::move(done), &data, {}); }, state));
    for (const char byte : ToString(data)) {
      CHECK_EQ(byte, ByteAt(flow.bytes)) << "at position " << flow.bytes << state();
      ++flow.bytes;
    }
    ++flow.operations;
    MaybePause(random);
  }
  return flow;
}

struct Policy {
  const char* name;
  WaitPolicy policy;
};

class EndpointStressTest : public ::testing::TestWithParam<Policy> {};

TEST_P(EndpointStressTest, NothingIsLostAndNothingHangs) {
  std::vector<std::unique_ptr<EndpointPair>> pairs;
  std::vector<std::thread> writers, readers;
  Flow written[kConnections][2], read[kConnections][2];
  std::atomic<bool> stop{false};
  std::atomic<uint64_t> totals[kConnections][2];
  for (auto& of_both_sides : totals) {
    for (auto& total : of_both_sides) total = std::numeric_limits<uint64_t>::max();
  }
  for (size_t i = 0; i < kConnections; ++i) {
    pairs.push_back(std::make_unique<EndpointPair>(kRing, GetParam().policy));
    EndpointPair& pair = *pairs.back();
    const auto state = [&pair, i] { return absl::StrCat("connection ", i, pair.link.State()); };
    for (const int side : {0, 1}) {
      EventEngine::Endpoint& endpoint = side == 0 ? *pair.client : *pair.server;
      const auto seed = static_cast<uint32_t>(10 * i + side + 1);
      writers.emplace_back([&, state, side, i, seed] {
        written[i][side] = Write(endpoint, seed, stop, totals[i][side], state);
      });
      readers.emplace_back([&, state, side, i, seed] {
        read[i][side] = Read(endpoint, seed + 5, totals[i][1 - side], state);
      });
    }
  }
  std::this_thread::sleep_for(kDuration);
  stop = true;
  for (std::thread& writer : writers) writer.join();
  for (std::thread& reader : readers) reader.join();
  uint64_t bytes = 0, operations = 0;
  for (size_t i = 0; i < kConnections; ++i) {
    for (const int side : {0, 1}) {
      EXPECT_EQ(read[i][1 - side].bytes, written[i][side].bytes);
      bytes += written[i][side].bytes;
      operations += written[i][side].operations;
    }
  }
  printf("  %-9s %8lu writes, %6.1f MiB, %lu takeovers so far\n", GetParam().name, operations,
         bytes / 1048576.0, TestWatchdog()->takeovers());
  EXPECT_GT(operations, 1000);
}

INSTANTIATE_TEST_SUITE_P(Policies, EndpointStressTest,
                         ::testing::Values(Policy{"spin", WaitPolicy::kSpin},
                                           Policy{"adaptive", WaitPolicy::kAdaptive},
                                           Policy{"park", WaitPolicy::kPark}),
                         [](const auto& info) { return info.param.name; });

}  // namespace
}  // namespace grpc_cxl::internal
