// SPDX-License-Identifier: Apache-2.0
// Proves that the polling thread waits for no copy that another thread makes, nor long for its own.

#include <sched.h>

#include <algorithm>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "absl/status/status_matchers.h"
#include "absl/synchronization/notification.h"
#include "absl/time/time.h"
#include "grpc_cxl/blocks/copy_counters.h"
#include "grpc_cxl/endpoint/endpoint_core.h"
#include "grpc_cxl/endpoint/slice_sender.h"
#include "grpc_cxl/link/record_layout.h"
#include "grpc_cxl/polling/watchdog.h"
#include "gtest/gtest.h"
#include "test/endpoint/endpoint_pair.h"
#include "test/link/link_pair.h"

namespace grpc_cxl::internal {
namespace {

using ::absl_testing::IsOk;

// A write that begins, and one that goes on when there is space again, each copy for long on some
// thread; the polling thread goes on meanwhile, and is not told to come back at once.
TEST(EndpointCopyTest, NoSendersCopyHoldsThePollingThreadUp) {
  constexpr size_t kLongCopy = 16 << 20;
  LinkPair links(kLongCopy);
  Link& reader = *links.server;
  const auto core = std::make_shared<EndpointCore>(
      std::move(links.client), WaitTerms{.policy = WaitPolicy::kPark},
      grpc_event_engine::experimental::GetDefaultEventEngine(), true);
  const auto drain = [&] {
    while (*reader.Readable() > 0) reader.Consume(reader.Front().size());
  };
  // How often the polling thread came by while `send` copied, which is before all was there.
  const auto runs_beside = [&](const std::function<void()>& send) {
    std::atomic<bool> sent{false};
    std::thread sender([&] {
      send();
      sent = true;
    });
    const auto published = [&] { return links.client_look().head->load(); };
    while (!sent && *reader.Readable() == 0) sched_yield();
    std::vector<uint64_t> there;
    int ready = 0;
    while (!sent) {
      ready += core->Ready();
      core->Run();
      there.push_back(published());
    }
    sender.join();
    EXPECT_LE(ready, 2) << "just when the copy has ended";
    const uint64_t all = published();
    return std::count_if(there.begin(), there.end(), [all](uint64_t bytes) { return bytes < all; });
  };
  ptrdiff_t beside_write = 0, beside_run = 0;
  for (int round = 0; round < 50 && (beside_write < 10 || beside_run < 10); ++round) {
    SliceBuffer data;
    Append(data, std::string(2 * kLongCopy - 2 * kRecordHeaderBytes * 1000, 'x'));
    Outcome outcome;
    beside_write = std::max(
        beside_write, runs_beside([&] { EXPECT_FALSE(core->Write(outcome.Callback(), &data)); }));
    drain();
    beside_run = std::max(beside_run, runs_beside([&] { core->Run(); }));
    EXPECT_THAT(outcome.Wait(), IsOk());
    drain();
  }
  EXPECT_GE(beside_write, 10);
  EXPECT_GE(beside_run, 10);
}

// Bytes that a polling thread has copied of a large write each time that another closure had its
// turn.
std::vector<uint64_t> CopiedInTurns(Watchdog* watchdog, size_t bytes, size_t ring_bytes,
                                    size_t payload_bytes) {
  LinkPair links(ring_bytes, payload_bytes);
  const auto reader = MakeEndpoint(std::move(links.server));
  const auto core = std::make_shared<EndpointCore>(
      std::move(links.client), WaitTerms{.policy = WaitPolicy::kPark},
      grpc_event_engine::experimental::GetDefaultEventEngine(), true);
  Poller* const poller = watchdog->Assign();
  core->Start(poller);
  const CopyCounters& counters = CopyCounters::OfProcess();
  const auto sent = [&counters] { return counters.sent_by_ring + counters.sent_by_block; };
  const uint64_t before = sent();
  std::vector<uint64_t> copied;
  absl::Notification all;
  std::function<void()> look = [&] {
    copied.push_back(sent() - before);
    copied.back() < bytes ? poller->Enqueue([&look] { look(); }) : all.Notify();
  };
  SliceBuffer data;
  Append(data, std::string(bytes, 'x'));
  Outcome outcome;
  poller->Enqueue([&] {
    EXPECT_FALSE(core->Write(outcome.Callback(), &data));
    look();
  });
  EXPECT_THAT(ReadExactly(*reader, bytes), IsOk());
  EXPECT_THAT(outcome.Wait(), IsOk());
  all.WaitForNotification();
  core->Shutdown();
  return copied;
}

// Small writes of other connections wait for no more than that.
TEST(EndpointCopyTest, APollingThreadCopiesInTurns) {
  constexpr size_t kMuch = 4 << 20;
  static Watchdog* const watchdog = new Watchdog(1, /*cores=*/1);
  for (const size_t payload_bytes : {size_t{0}, kMuch}) {      // through the ring, in blocks
    for (const size_t ring_bytes : {2 * kMuch, kMuch / 32}) {  // of which the second fills up
      SCOPED_TRACE(testing::Message() << payload_bytes << " " << ring_bytes);
      for (bool undisturbed = false; !undisturbed;) {
        const uint64_t takeovers = watchdog->takeovers();
        const std::vector<uint64_t> copied =
            CopiedInTurns(watchdog, kMuch, ring_bytes, payload_bytes);
        undisturbed = watchdog->takeovers() == takeovers;
        if (!undisturbed) continue;
        for (size_t i = 1; i < copied.size(); ++i) {
          ASSERT_LE(copied[i] - copied[i - 1], 2 * SliceSender::kTurnBytes) << i;
        }
        EXPECT_LE(copied[0], SliceSender::kTurnBytes);
      }
    }
  }
}

}  // namespace
}  // namespace grpc_cxl::internal
