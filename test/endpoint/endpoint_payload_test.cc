// SPDX-License-Identifier: Apache-2.0
// Proves what an endpoint does with large slices: they travel as blocks of the arena and
// arrive in place from a peer that is trusted, as copies from others, at every size around the
// threshold and the pages; slices of our own blocks are not copied; and when all slices are gone
// no page is in use. (That they outlive everything, and what a receiver costs that gives nothing
// back, is proved by e2e/payload_test.)

#include <cstring>
#include <memory>
#include <string>
#include <thread>
#include <utility>

#include "absl/status/status.h"
#include "absl/status/status_matchers.h"
#include "grpc_cxl/blocks/block_pool.h"
#include "grpc_cxl/blocks/copy_counters.h"
#include "grpc_cxl/link/record_writer.h"
#include "gtest/gtest.h"
#include "test/endpoint/endpoint_pair.h"
#include "test/link/stream_bytes.h"

namespace grpc_cxl::internal {
namespace {

using ::absl_testing::IsOk;
using ::absl_testing::IsOkAndHolds;
using grpc_event_engine::experimental::Slice;

constexpr size_t kRing = 64 << 10;
constexpr size_t kPayload = 1 << 20;

EndpointPair MakePair(bool trusted = true) {
  return EndpointPair(kRing, WaitPolicy::kAdaptive, kPayload, trusted);
}

// Reads `bytes` and keeps the slices.
absl::Status ReadBytes(EventEngine::Endpoint& endpoint, size_t bytes, SliceBuffer* all) {
  absl::Status status;
  while (status.ok() && all->Length() < bytes) status = ReadSlices(endpoint, all);
  return status;
}

TEST(EndpointPayloadTest, SizesAroundTheThresholdAndThePages) {
  for (const bool trusted : {true, false}) {
    EndpointPair pair = MakePair(trusted);
    for (const size_t bytes :
         {kBlockThreshold - 1, kBlockThreshold, kBlockThreshold + 1, size_t{12287}, size_t{12288},
          size_t{12289}, size_t{65535}, size_t{65536}, size_t{65537}, kPayload - 1, kPayload,
          kPayload + 1, 3 * kPayload + 5}) {
      const std::string text = TextAt(bytes, bytes);
      std::thread writer([&] { EXPECT_THAT(WriteAll(*pair.client, text), IsOk()); });
      const absl::StatusOr<std::string> received = ReadExactly(*pair.server, bytes);
      writer.join();
      ASSERT_THAT(received, IsOk());
      ASSERT_TRUE(*received == text) << bytes;
    }
    EXPECT_TRUE(NothingInUse(pair));
  }
}

// The peer can still change what a trusted one has handed over, and only that.
TEST(EndpointPayloadTest, InPlaceFromTheTrustedAndCopiedFromOthers) {
  for (const bool trusted : {true, false}) {
    EndpointPair pair = MakePair(trusted);
    ASSERT_THAT(WriteAll(*pair.client, std::string(kBlockThreshold, 'a')), IsOk());
    SliceBuffer received;
    ASSERT_THAT(ReadBytes(*pair.server, kBlockThreshold, &received), IsOk());
    char* const payload =
        pair.link.memory.data() + kLinkControlBytes + 2 * kRing + 2 * ReturnBytes(kPayload);
    ASSERT_EQ(payload[0], 'a');
    payload[0] = 'b';
    EXPECT_EQ(ToString(received)[0], trusted ? 'b' : 'a');
  }
}

// HTTP/2 may keep headers for long, and their parser is the one that strangers know best: a peer
// that lends few bytes, be they headers, has them copied even when it is trusted.
TEST(EndpointPayloadTest, FewBytesAreCopiedFromTheTrustedToo) {
  LinkPair link(kRing, kPayload);
  const auto server = MakeEndpoint(std::move(link.server), WaitPolicy::kAdaptive, true);
  const std::shared_ptr<BlockPool> pool = link.client->pool();
  auto block = pool->Allocate(kBlockThreshold - 1);
  ASSERT_THAT(block, IsOk());
  memset(block->memory().data(), 'a', kBlockThreshold - 1);
  RecordWriter records(link.client.get());
  ASSERT_THAT(records.HasSpaceForLoan(), IsOkAndHolds(true));
  records.WriteLoan(*pool->Lend(block->memory().subspan(0, kBlockThreshold - 1)));
  link.client->Publish();
  SliceBuffer received;
  ASSERT_THAT(ReadBytes(*server, kBlockThreshold - 1, &received), IsOk());
  block->memory()[0] = 'b';
  EXPECT_EQ(ToString(received)[0], 'a');
}

// A run of small slices beside a large one: two different ways.
TEST(EndpointPayloadTest, HeadersNeverShareABlockWithAMessage) {
  EndpointPair pair = MakePair();
  const auto& counters = CopyCounters::OfProcess();
  const uint64_t by_ring = counters.sent_by_ring.value(), by_block = counters.sent_by_block.value();
  SliceBuffer out, in;
  for (int i = 0; i < 4; ++i) Append(out, std::string(kBlockThreshold / 2, 'h'));
  Append(out, std::string(100'000, 'm'));
  Append(out, "tail");
  Outcome written;
  ASSERT_TRUE(pair.client->Write(written.Callback(), &out, {}));
  EXPECT_EQ(counters.sent_by_ring.value() - by_ring, 2 * kBlockThreshold + 4);
  EXPECT_EQ(counters.sent_by_block.value() - by_block, 100'000u);
  ASSERT_THAT(ReadBytes(*pair.server, 2 * kBlockThreshold + 100'004, &in), IsOk());
  EXPECT_EQ(ToString(in),
            std::string(2 * kBlockThreshold, 'h') + std::string(100'000, 'm') + "tail");
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
  ASSERT_THAT(ReadBytes(*server, 300'005, &in), IsOk());
  EXPECT_EQ(ToString(in), std::string(100'000, 'x') + "frame" + std::string(200'000, 'x'));
  EXPECT_EQ(pool->pages_in_use(), 74u);
  in.Clear();
  ASSERT_THAT(pool->TakeBack(), IsOk());
  EXPECT_EQ(pool->pages_in_use(), 0u);
}

}  // namespace
}  // namespace grpc_cxl::internal
