// Proves that a peer who writes whatever it likes into the arena, its own words and ours, at
// any moment, gets at most a DATA_LOSS out of us: no crash, no access outside the rings
// (AddressSanitizer and the kernel watch: nothing is mapped behind them), and no hint that
// says "there is work" for ever when there is none, which would keep a polling thread
// spinning.

#include <array>
#include <atomic>
#include <functional>
#include <limits>
#include <random>
#include <string>
#include <thread>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/status_matchers.h"
#include "absl/strings/str_cat.h"
#include "gtest/gtest.h"
#include "test/link/link_pair.h"

namespace grpc_cxl::internal {
namespace {

using ::absl_testing::IsOkAndHolds;

constexpr size_t kRing = 4 << 10;

struct NamedWord {
  std::string name;
  SharedU64* word;
};

// Every word in the arena, the victim's own included: the peer's mapping is as good as ours.
std::vector<NamedWord> AllWords(const LinkPair& pair) {
  std::vector<NamedWord> words;
  for (LinkSideWords* side : {&pair.server_words(), &pair.client_words()}) {
    const std::string whose = side == &pair.server_words() ? "server" : "client";
    words.push_back({absl::StrCat(whose, ".tx.head"), &side->tx.head});
    words.push_back({absl::StrCat(whose, ".tx.want_space"), &side->tx.want_space});
    words.push_back({absl::StrCat(whose, ".rx.tail"), &side->rx.tail});
    words.push_back({absl::StrCat(whose, ".doorbell.epoch"), &side->doorbell.epoch});
  }
  return words;
}

constexpr std::array<uint64_t, 20> kValues = {
    0,
    1,
    2,
    kRing - 1,
    kRing,
    kRing + 1,
    2 * kRing,
    3 * kRing - 1,
    3 * kRing,
    3 * kRing + 1,
    (uint64_t{1} << 31) - 1,
    (uint64_t{1} << 32) - 1,
    uint64_t{1} << 32,
    (uint64_t{1} << 63) - 1,
    uint64_t{1} << 63,
    (uint64_t{1} << 63) + 1,
    0x5555555555555555,
    std::numeric_limits<uint64_t>::max() - kRing,
    std::numeric_limits<uint64_t>::max() - 1,
    std::numeric_limits<uint64_t>::max(),
};

bool FineOrDataLoss(const absl::Status& status) {
  return status.ok() || status.code() == absl::StatusCode::kDataLoss;
}

// What an endpoint and its poller do in one turn. False after DATA_LOSS: the link is of no
// more use. The bytes it reads and writes are counted against what a ring can hold.
bool OneTurn(Link& link, const std::string& bytes) {
  link.MaybeReadable();
  link.MaybeWritable();
  const absl::StatusOr<size_t> readable = link.Readable();
  EXPECT_TRUE(FineOrDataLoss(readable.status())) << readable.status();
  if (!readable.ok()) return false;
  EXPECT_LE(*readable, link.ring_bytes());
  for (size_t left = *readable; left > 0;) {
    const absl::Span<const char> front = link.Front();
    EXPECT_GT(front.size(), 0);
    EXPECT_LE(front.size(), left);
    volatile char sink = 0;  // touches every byte
    for (const char byte : front) sink = sink ^ byte;
    link.Consume(front.size());
    left -= front.size();
  }
  const absl::StatusOr<size_t> written = link.Write(bytes);
  EXPECT_TRUE(FineOrDataLoss(written.status())) << written.status();
  if (!written.ok()) return false;
  EXPECT_LE(*written, link.ring_bytes());
  link.Publish();
  if (*written < bytes.size()) link.WantSpace();
  link.PrepareToSleep();
  link.Awake();
  link.Drain();
  return true;
}

// What happened on the link before the peer turns hostile.
struct Prelude {
  const char* name;
  std::function<void(LinkPair&)> play;
};

void Fill(Link& writer, size_t bytes) {
  ASSERT_THAT(writer.Write(std::string(bytes, 'x')), IsOkAndHolds(bytes));
  writer.Publish();
}

std::vector<Prelude> Preludes() {
  return {
      {"nothing", [](LinkPair&) {}},
      {"half read",
       [](LinkPair& pair) {
         Fill(*pair.client, 1000);
         ASSERT_THAT(pair.server->Readable(), IsOkAndHolds(1000));
         pair.server->Consume(500);
       }},
      {"both rings full, three times round",
       [](LinkPair& pair) {
         for (int i = 0; i < 3; ++i) {
           OneTurn(*pair.server, std::string(kRing, 's'));
           OneTurn(*pair.client, std::string(kRing, 'c'));
         }
         pair.server->WantSpace();
       }},
      {"asleep",
       [](LinkPair& pair) {
         Fill(*pair.server, 10);
         pair.server->PrepareToSleep();
       }},
  };
}

TEST(LinkHostilePeerTest, AnyValueInAnyWord) {
  for (const Prelude& prelude : Preludes()) {
    for (size_t i = 0; i < AllWords(LinkPair(kRing)).size(); ++i) {
      for (const uint64_t value : kValues) {
        LinkPair pair(kRing);
        prelude.play(pair);
        const NamedWord target = AllWords(pair)[i];
        SCOPED_TRACE(absl::StrCat(prelude.name, ": ", target.name, " := ", value));
        target.word->store(value);
        for (int turn = 0; turn < 4; ++turn) {
          if (!OneTurn(*pair.server, std::string(kRing / 2, 's'))) break;
        }
      }
    }
  }
}

// The server's own words, overwritten once by the client, must not make the hints say yes
// for ever.
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

// A "yes" that is not true leads to a look, and the look to bytes or to DATA_LOSS: whatever
// stands in the peer's words, a hint does not stay true without one of them.
TEST(LinkHostilePeerTest, AHintThatStaysTrueEndsInDataLoss) {
  for (const uint64_t value : kValues) {
    SCOPED_TRACE(value);
    LinkPair pair(kRing);
    Fill(*pair.server, kRing);
    pair.server->WantSpace();
    pair.client_words().tx.head = value;
    pair.client_words().rx.tail = value;
    bool lost = false;
    for (int looks = 0; !lost && looks < 4 && pair.server->MaybeReadable(); ++looks) {
      const absl::StatusOr<size_t> readable = pair.server->Readable();
      lost = !readable.ok();
      while (readable.ok() && !pair.server->Front().empty()) {
        pair.server->Consume(pair.server->Front().size());
      }
    }
    EXPECT_TRUE(lost || !pair.server->MaybeReadable());
    lost = false;
    for (int looks = 0; !lost && looks < 4 && pair.server->MaybeWritable(); ++looks) {
      lost = !pair.server->Write(std::string(2 * kRing, 'x')).ok();
      if (!lost) pair.server->WantSpace();
    }
    EXPECT_TRUE(lost || !pair.server->MaybeWritable());
  }
}

// A link made over an arena that the peer has already scribbled into, as a hostile client
// can between the Welcome and the server's first use.
TEST(LinkHostilePeerTest, ALinkOverAScribbledArena) {
  std::minstd_rand random(3);
  for (int round = 0; round < 2000; ++round) {
    LinkPair pair(kRing);
    pair.server.reset();
    for (const NamedWord& target : AllWords(pair)) {
      if (random() % 2 == 0) target.word->store(kValues[random() % kValues.size()]);
    }
    pair.client.reset();
    pair.Reconnect();
    for (int turn = 0; turn < 4; ++turn) {
      if (!OneTurn(*pair.server, std::string(kRing / 2, 's'))) break;
    }
  }
}

// A second thread never stops writing nonsense into the words while we
// work. After DATA_LOSS a new link takes over.
TEST(LinkHostilePeerTest, NonsenseWithoutEnd) {
#if defined(__SANITIZE_THREAD__) || defined(__SANITIZE_ADDRESS__)
  constexpr int kRounds = 2'000;
#else
  constexpr int kRounds = 20'000;
#endif
  LinkPair pair(kRing);
  std::atomic<bool> stop{false};
  std::thread scribbler([&] {
    std::minstd_rand random(5);
    const std::vector<NamedWord> words = AllWords(pair);
    while (!stop.load(std::memory_order_relaxed)) {
      SharedU64& word = *words[random() % words.size()].word;
      switch (random() % 3) {
        case 0:
          word.store(kValues[random() % kValues.size()], std::memory_order_relaxed);
          break;
        case 1:
          word.fetch_add(random() % (2 * kRing), std::memory_order_relaxed);
          break;
        case 2:
          word.store(words[random() % words.size()].word->load(std::memory_order_relaxed),
                     std::memory_order_relaxed);
          break;
      }
    }
  });
  int losses = 0, turns = 0;
  for (int round = 0; round < kRounds; ++round) {
    ++turns;
    if (OneTurn(*pair.server, std::string(round % kRing, 's'))) continue;
    ++losses;
    pair.Reconnect();
  }
  stop = true;
  scribbler.join();
  EXPECT_GT(losses, 0);
  EXPECT_LT(losses, turns);
}

}  // namespace
}  // namespace grpc_cxl::internal
