// Proves what an endpoint does with large slices: they travel as blocks of the arena and
// arrive in place from a peer that is trusted, as copies from others, at every size around the
// threshold and the pages; slices of our own blocks are not copied; slices outlive endpoints
// and the peer's process; a receiver that gives nothing back only costs speed; a peer that
// breaks the return ring loses its connection; and when all slices are gone no page is in use.

#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstring>
#include <deque>
#include <memory>
#include <random>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "absl/crc/crc32c.h"
#include "absl/log/check.h"
#include "absl/status/status.h"
#include "absl/status/status_matchers.h"
#include "absl/strings/string_view.h"
#include "grpc_cxl/blocks/block_pool.h"
#include "grpc_cxl/blocks/copy_counters.h"
#include "grpc_cxl/link/record_writer.h"
#include "gtest/gtest.h"
#include "test/endpoint/endpoint_pair.h"
#include "test/support/eventually.h"

namespace grpc_cxl::internal {
namespace {

using ::absl_testing::IsOk;
using ::absl_testing::IsOkAndHolds;
using ::absl_testing::StatusIs;
using grpc_event_engine::experimental::Slice;

constexpr size_t kRing = 64 << 10;
constexpr size_t kPayload = 1 << 20;
constexpr WaitPolicy kPolicy = WaitPolicy::kAdaptive;

std::string RandomText(std::minstd_rand& random, size_t bytes) {
  std::string text(bytes, '\0');
  for (char& byte : text) byte = static_cast<char>(random());
  return text;
}

// Reads `bytes` and keeps the slices.
absl::Status ReadSlices(EventEngine::Endpoint& endpoint, size_t bytes, SliceBuffer* all) {
  while (all->Length() < bytes) {
    const auto buffer = std::make_shared<SliceBuffer>();
    Outcome outcome;
    if (!endpoint.Read(outcome.Callback([buffer] {}), buffer.get(), {})) {
      if (absl::Status status = outcome.Wait(); !status.ok()) return status;
    }
    while (buffer->Count() > 0) all->Append(buffer->TakeFirst());
  }
  return absl::OkStatus();
}

// Where the words of a pair say how many pages each side has in use.
void ExpectNothingInUse(EndpointPair& pair) {
  EXPECT_TRUE(Eventually([&] {
    // A word each way, after which both pollers go to sleep and take back.
    EXPECT_THAT(WriteAll(*pair.client, "x"), IsOk());
    EXPECT_THAT(ReadExactly(*pair.server, 1), IsOkAndHolds("x"));
    EXPECT_THAT(WriteAll(*pair.server, "x"), IsOk());
    EXPECT_THAT(ReadExactly(*pair.client, 1), IsOkAndHolds("x"));
    return pair.link.client_words().blocks.pages_in_use.load() == 0 &&
           pair.link.server_words().blocks.pages_in_use.load() == 0;
  }));
}

TEST(EndpointPayloadTest, SizesAroundTheThresholdAndThePages) {
  for (const bool trusted : {true, false}) {
    EndpointPair pair(kRing, kPolicy, kPayload, trusted);
    std::minstd_rand random(1);
    for (const size_t bytes :
         {kBlockThreshold - 1, kBlockThreshold, kBlockThreshold + 1, size_t{12287}, size_t{12288},
          size_t{12289}, size_t{65535}, size_t{65536}, size_t{65537}, kPayload - 1, kPayload,
          kPayload + 1, 3 * kPayload + 5}) {
      const std::string text = RandomText(random, bytes);
      std::thread writer([&] { EXPECT_THAT(WriteAll(*pair.client, text), IsOk()); });
      const absl::StatusOr<std::string> received = ReadExactly(*pair.server, bytes);
      writer.join();
      ASSERT_THAT(received, IsOk());
      ASSERT_TRUE(*received == text) << bytes;
    }
    ExpectNothingInUse(pair);
  }
}

// The peer can still change what a trusted one has handed over, and only that.
TEST(EndpointPayloadTest, InPlaceFromTheTrustedAndCopiedFromOthers) {
  for (const bool trusted : {true, false}) {
    EndpointPair pair(kRing, kPolicy, kPayload, trusted);
    ASSERT_THAT(WriteAll(*pair.client, std::string(kBlockThreshold, 'a')), IsOk());
    SliceBuffer received;
    ASSERT_THAT(ReadSlices(*pair.server, kBlockThreshold, &received), IsOk());
    char* const payload = pair.link.memory.data() + kLinkControlBytes + 2 * kRing;
    ASSERT_EQ(payload[0], 'a');
    payload[0] = 'b';
    EXPECT_EQ(ToString(received)[0], trusted ? 'b' : 'a');
  }
}

TEST(EndpointPayloadTest, SlicesOfOurOwnBlocksAreNotCopied) {
  LinkPair link(kRing, kPayload);
  const std::shared_ptr<BlockPool> pool = link.client->pool();
  const auto client = MakeEndpoint(std::move(link.client)),
             server = MakeEndpoint(std::move(link.server));
  auto block = pool->Allocate(300'000);
  ASSERT_THAT(block, IsOk());
  memset(block->memory().data(), 'x', 300'000);
  auto* const held = new BlockPool::Block(*std::move(block));
  Slice whole(grpc_slice_new_with_user_data(
      held->memory().data(), 300'000,
      [](void* block) { delete static_cast<BlockPool::Block*>(block); }, held));
  SliceBuffer out, in;
  // As HTTP/2 does it: in parts, with something small between them.
  out.Append(Slice(grpc_slice_sub(whole.c_slice(), 0, 100'000)));
  Append(out, "frame");
  out.Append(Slice(grpc_slice_sub(whole.c_slice(), 100'000, 300'000)));
  whole = Slice();
  const uint64_t in_place = CopyCounters::OfProcess().sent_in_place.value(),
                 copied = CopyCounters::OfProcess().sent_by_block.value();
  Outcome written;
  ASSERT_TRUE(client->Write(written.Callback(), &out, {}));
  EXPECT_EQ(CopyCounters::OfProcess().sent_in_place.value(), in_place + 300'000);
  EXPECT_EQ(CopyCounters::OfProcess().sent_by_block.value(), copied);
  out.Clear();
  ASSERT_THAT(ReadSlices(*server, 300'005, &in), IsOk());
  EXPECT_EQ(ToString(in), std::string(100'000, 'x') + "frame" + std::string(200'000, 'x'));
  EXPECT_EQ(pool->pages_in_use(), 74u);
  in.Clear();
  ASSERT_THAT(pool->TakeBack(), IsOk());
  EXPECT_EQ(pool->pages_in_use(), 0u);
}

TEST(EndpointPayloadTest, SlicesOutliveTheirEndpointsAndTheArenaGoesWithTheLast) {
  const int64_t held = CopyCounters::OfProcess().loans_held.value();
  std::minstd_rand random(3);
  const std::string text = RandomText(random, kPayload / 2);
  SliceBuffer received;
  {
    EndpointPair pair(kRing, kPolicy, kPayload);
    ASSERT_THAT(WriteAll(*pair.client, text), IsOk());
    ASSERT_THAT(ReadSlices(*pair.server, text.size(), &received), IsOk());
  }
  EXPECT_EQ(CopyCounters::OfProcess().loans_held.value(), held + 1);
  EXPECT_TRUE(ToString(received) == text);
  std::thread([&] { received.Clear(); }).join();
  EXPECT_EQ(CopyCounters::OfProcess().loans_held.value(), held);
}

TEST(EndpointPayloadTest, AReceiverThatKeepsEverythingOnlyCostsSpeed) {
  constexpr size_t kMessage = 100'000;
  EndpointPair pair(kRing, kPolicy, kPayload);
  const uint64_t before = CopyCounters::OfProcess().sent_for_want_of_blocks.value();
  std::minstd_rand random(4);
  const std::string text = RandomText(random, kMessage);
  SliceBuffer kept;
  constexpr size_t kMessages = 40;  // four times what the blocks hold
  std::thread writer([&] {
    for (size_t i = 0; i < kMessages; ++i) ASSERT_THAT(WriteAll(*pair.client, text), IsOk());
  });
  ASSERT_THAT(ReadSlices(*pair.server, kMessages * kMessage, &kept), IsOk());
  writer.join();
  EXPECT_GT(CopyCounters::OfProcess().sent_for_want_of_blocks.value(), before);
  EXPECT_LE(pair.link.client_words().blocks.pages_in_use.load(), AreaPages(kPayload));
  const std::string all = ToString(kept);
  for (size_t i = 0; i < kMessages; ++i) {
    ASSERT_EQ(all.compare(i * kMessage, kMessage, text), 0) << "message " << i;
  }
  kept.Clear();
  ExpectNothingInUse(pair);
}

// Both ways at once, ten thousand messages of random sizes in all, in an arena that is far too
// small for them, while the receivers hold on to some of their slices.
TEST(EndpointPayloadTest, TenThousandRandomSizes) {
  constexpr int kMessages = 5'000;  // each way
  EndpointPair pair(16 << 10, kPolicy, 128 << 10);
  // Message after message is another piece of this.
  std::minstd_rand any(5);
  const std::string source = RandomText(any, 256 << 10);
  const auto next = [&source](std::minstd_rand& random) {
    const size_t bytes = 1 + random() % (size_t{2} << random() % 17);
    return absl::string_view(source).substr(random() % (source.size() / 2), bytes);
  };
  const auto write = [&next](EventEngine::Endpoint& endpoint, uint32_t seed) {
    std::minstd_rand random(seed);
    absl::crc32c_t sum{0};
    for (int i = 0; i < kMessages; ++i) {
      const absl::string_view text = next(random);
      EXPECT_THAT(WriteAll(endpoint, text), IsOk());
      sum = absl::ExtendCrc32c(sum, text);
    }
    return sum;
  };
  const auto total = [&next](uint32_t seed) {  // what write() will have written
    std::minstd_rand random(seed);
    uint64_t bytes = 0;
    for (int i = 0; i < kMessages; ++i) bytes += next(random).size();
    return bytes;
  };
  const auto read = [](EventEngine::Endpoint& endpoint, uint64_t bytes) {
    std::minstd_rand random(7);
    absl::crc32c_t sum{0};
    std::deque<SliceBuffer> kept;
    while (bytes > 0) {
      SliceBuffer some;
      EXPECT_THAT(ReadSlices(endpoint, 1, &some), IsOk());
      if (some.Length() == 0 || some.Length() > bytes) {
        ADD_FAILURE() << some.Length() << " bytes came";
        return sum;
      }
      bytes -= some.Length();
      kept.push_back(std::move(some));
      while (kept.size() > random() % 6) {  // looked at late, when it could have changed
        sum = absl::ExtendCrc32c(sum, ToString(kept.front()));
        kept.pop_front();
      }
    }
    for (SliceBuffer& last : kept) sum = absl::ExtendCrc32c(sum, ToString(last));
    return sum;
  };
  absl::crc32c_t sent[2], received[2];
  std::thread threads[] = {
      std::thread([&] { sent[0] = write(*pair.client, 1); }),
      std::thread([&] { sent[1] = write(*pair.server, 2); }),
      std::thread([&, bytes = total(1)] { received[0] = read(*pair.server, bytes); }),
      std::thread([&, bytes = total(2)] { received[1] = read(*pair.client, bytes); }),
  };
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(sent[0], received[0]);
  EXPECT_EQ(sent[1], received[1]);
  ExpectNothingInUse(pair);
}

// The child only publishes the loan: after a fork from a process with threads little else is
// safe, mutexes and memory in particular.
TEST(EndpointPayloadTest, APeerThatIsKilledWhileWeHoldItsBlocks) {
  for (int round = 0; round < 20; ++round) {
    LinkPair link(kRing, kPayload);
    BlockDescriptor lent;
    {
      auto block = link.client->pool()->Allocate(kPayload / 2);
      ASSERT_THAT(block, IsOk());
      memset(block->memory().data(), 'a' + round, kPayload / 2);
      lent = *link.client->pool()->Lend(block->memory());
    }
    const pid_t child = fork();
    PCHECK(child >= 0);
    if (child == 0) {
      RecordWriter(link.client.get()).WriteLoan(lent);
      link.client->Publish();
      for (;;) pause();
    }
    link.client.reset();
    const auto endpoint = MakeEndpoint(std::move(link.server));
    SliceBuffer received;
    ASSERT_THAT(ReadSlices(*endpoint, kPayload / 2, &received), IsOk());
    PCHECK(kill(child, SIGKILL) == 0);
    EXPECT_THAT(ReadOnce(*endpoint), StatusIs(absl::StatusCode::kUnavailable));
    PCHECK(waitpid(child, nullptr, 0) == child);
    EXPECT_TRUE(ToString(received) == std::string(kPayload / 2, static_cast<char>('a' + round)));
  }
}

TEST(EndpointPayloadTest, APeerThatBreaksTheReturnRingLosesItsConnection) {
  LinkPair link(kRing, kPayload);
  const auto victim = MakeEndpoint(std::move(link.server));
  ASSERT_THAT(WriteAll(*victim, std::string(kBlockThreshold, 'x')), IsOk());
  SliceBuffer in;
  Outcome read;
  ASSERT_FALSE(victim->Read(read.Callback(), &in, {}));
  link.client_words().returns.returned.store(1000);
  EXPECT_THAT(WriteAll(*victim, std::string(kBlockThreshold, 'x')),
              StatusIs(absl::StatusCode::kDataLoss));
  EXPECT_THAT(read.Wait(), StatusIs(absl::StatusCode::kDataLoss));
}

}  // namespace
}  // namespace grpc_cxl::internal
