// SPDX-License-Identifier: Apache-2.0
// Proves what link_fuzz, which tries any value in any word between our steps, does not reach:
// a peer that writes at the same moment as we read gets at most a DATA_LOSS out of us, and our
// hints for a polling thread do not rely on words of ours that the peer can overwrite.

#include <array>
#include <atomic>
#include <limits>
#include <random>
#include <string>
#include <thread>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/status_matchers.h"
#include "gtest/gtest.h"
#include "test/link/link_pair.h"
#include "test/support/budget.h"

namespace grpc_cxl::internal {
namespace {

using ::absl_testing::IsOkAndHolds;

constexpr size_t kRing = 4 << 10;

constexpr auto kValues = std::to_array<uint64_t>(
    {0, 1, kRing - 1, kRing, kRing + 1, 2 * kRing, 3 * kRing - 1, 3 * kRing, 3 * kRing + 1,
     uint64_t{1} << 32, (uint64_t{1} << 63) - 1, uint64_t{1} << 63,
     std::numeric_limits<uint64_t>::max() - kRing, std::numeric_limits<uint64_t>::max()});

void Fill(Link& writer, size_t bytes) {
  ASSERT_THAT(writer.Write(std::string(bytes, 'x')), IsOkAndHolds(bytes));
  writer.Publish();
}

TEST(LinkHostilePeerTest, HintsDoNotTrustOurOwnWordsInTheArena) {
  for (const uint64_t value : kValues) {
    SCOPED_TRACE(value);
    LinkPair pair(kRing);
    Fill(*pair.client, 10);
    ASSERT_THAT(pair.server->Readable(), IsOkAndHolds(10));
    pair.server->Consume(10);
    Fill(*pair.server, kRing);
    pair.server->WantSpace();
    pair.server_words().rx.tail = value;
    pair.server_words().tx.want_space = value;
    pair.server_words().tx.head = value;
    EXPECT_FALSE(pair.server->MaybeReadable());
    EXPECT_FALSE(pair.server->MaybeWritable());
    EXPECT_THAT(pair.server->Readable(), IsOkAndHolds(0));
    EXPECT_THAT(pair.server->Write(std::string("x")), IsOkAndHolds(0));
  }
}

bool FineOrDataLoss(const absl::Status& status) {
  EXPECT_TRUE(status.ok() || absl::IsDataLoss(status)) << status;
  return status.ok();
}

// What an endpoint and its poller do in one turn; false after DATA_LOSS.
bool OneTurn(Link& link, const std::string& bytes) {
  link.MaybeReadable();
  link.MaybeWritable();
  const absl::StatusOr<size_t> readable = link.Readable();
  if (!FineOrDataLoss(readable.status())) return false;
  EXPECT_LE(*readable, kRing);
  for (size_t left = *readable; left > 0;) {
    const absl::Span<const char> front = link.Front();
    EXPECT_GT(front.size(), 0);
    EXPECT_LE(front.size(), left);
    const std::string touched(front.begin(), front.end());
    link.Consume(front.size());
    left -= front.size();
  }
  const absl::StatusOr<size_t> written = link.Write(bytes);
  if (!FineOrDataLoss(written.status())) return false;
  EXPECT_LE(*written, kRing);
  link.Publish();
  if (*written < bytes.size()) link.WantSpace();
  link.PrepareToSleep();
  link.Awake();
  link.Drain();
  return true;
}

// A second thread never stops writing nonsense into all words, ours included, while we work.
// After DATA_LOSS a new link takes over.
TEST(LinkHostilePeerTest, NonsenseWithoutEnd) {
  const auto rounds = static_cast<int>(Budget(20'000));
  LinkPair pair(kRing);
  std::atomic<bool> stop{false};
  std::thread scribbler([&] {
    std::minstd_rand random(5);
    std::vector<SharedU64*> words;
    for (LinkSideWords* side : {&pair.server_words(), &pair.client_words()}) {
      words.insert(words.end(),
                   {&side->tx.head, &side->tx.want_space, &side->rx.tail, &side->doorbell.epoch});
    }
    while (!stop.load(std::memory_order_relaxed)) {
      SharedU64& word = *words[random() % words.size()];
      const uint64_t near = words[random() % words.size()]->load(std::memory_order_relaxed);
      const uint64_t values[] = {kValues[random() % kValues.size()], near,
                                 word.load(std::memory_order_relaxed) + random() % (2 * kRing)};
      word.store(values[random() % 3], std::memory_order_relaxed);
    }
  });
  int losses = 0;
  for (int round = 0; round < rounds; ++round) {
    if (OneTurn(*pair.server, std::string(round % kRing, 's'))) continue;
    ++losses;
    pair.Reconnect();
  }
  stop = true;
  scribbler.join();
  EXPECT_GT(losses, 0);
  EXPECT_LT(losses, rounds);
}

}  // namespace
}  // namespace grpc_cxl::internal
