// SPDX-License-Identifier: Apache-2.0

// Both halves of a stream area in one process: what a stream is from its first record to the free
// slot.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <vector>

#include "absl/status/status_matchers.h"
#include "grpc_cxl/blocks/block_layout.h"
#include "grpc_cxl/streams/stream_layout.h"
#include "test/streams/streams_fixture.h"

namespace grpc_cxl::internal {
namespace {

using ::absl_testing::IsOk;
using ::absl_testing::IsOkAndHolds;

TEST_F(StreamsTest, AStreamIsTakenEndsAndLeavesItsSlotFree) {
  EXPECT_EQ(Open(), nullptr) << "the server does not accept yet";
  server_.SetAccepting(true);
  std::unique_ptr<ClientStream> stream = Open();
  ASSERT_NE(stream, nullptr);
  EXPECT_THAT(Write(*stream, StreamRecord::kHead, "head"), IsOk());
  EXPECT_THAT(Serve(), IsOk());
  EXPECT_TRUE(taken_.empty()) << "not posted yet";
  stream->Post();
  EXPECT_EQ(stream->state(), StreamState::kNone);
  EXPECT_THAT(Serve(), IsOk());
  ASSERT_EQ(taken_.size(), 1);
  EXPECT_EQ(stream->state(), StreamState::kTaken);
  EXPECT_EQ(server_user_->news, 1);
  ServerStream& taken = *taken_[0];
  EXPECT_EQ(Read(taken), "head");
  EXPECT_EQ(Read(taken), "nothing");
  EXPECT_THAT(Write(taken, StreamRecord::kEnd, "status"), IsOk());
  taken.SetEnded();
  EXPECT_EQ(server_.running(), 0);
  EXPECT_EQ(server_.busy(), 1);
  EXPECT_EQ(stream->state(), StreamState::kEnded);
  EXPECT_EQ(Read(*stream), "status");
  stream->Close();
  EXPECT_EQ(client_.busy(), 0);
  EXPECT_TRUE(taken.closed());
  taken.Free();
  EXPECT_EQ(server_.busy(), 0);

  // The slot's next stream begins with empty rings.
  stream = Open();
  ASSERT_NE(stream, nullptr);
  EXPECT_THAT(Write(*stream, StreamRecord::kHead, "again"), IsOk());
  stream->Post();
  EXPECT_THAT(Serve(), IsOk());
  ASSERT_EQ(taken_.size(), 2);
  EXPECT_EQ(Read(*taken_[1]), "again");
}

TEST_F(StreamsTest, ARecordMayBeLargerThanItsRing) {
  server_.SetAccepting(true);
  const std::unique_ptr<ClientStream> stream = Open();
  std::string large(5 * kStreamRingBytes + 1, 'x');
  large.back() = 'y';
  EXPECT_THAT(Write(*stream, StreamRecord::kMessage, large), IsOk());
  EXPECT_THAT(Write(*stream, StreamRecord::kMessage, "small"), IsOk());
  EXPECT_FALSE(stream->all_written());
  stream->Post();
  EXPECT_THAT(Serve(), IsOk());
  ASSERT_EQ(taken_.size(), 1);
  std::string got = "nothing";
  for (int turns = 0; turns < 100 && got == "nothing"; ++turns) {
    const uint32_t news = stream->news();
    got = Read(*taken_[0]);
    if (got == "nothing") {
      EXPECT_NE(stream->news(), news) << "the client hears of the space";
    }
    EXPECT_THAT(stream->Flush(), IsOk());
  }
  EXPECT_EQ(got, large);
  EXPECT_EQ(Read(*taken_[0]), "small");
  EXPECT_TRUE(stream->all_written());
}

TEST_F(StreamsTest, AReaderThatDoesNotReadStopsTheBlocks) {
  server_.SetAccepting(true);
  const std::unique_ptr<ClientStream> stream = Open();
  stream->Post();
  EXPECT_THAT(Serve(), IsOk());
  const BlockDescriptor block{.begin = 0, .bytes = 1 << 20};
  const std::string record(reinterpret_cast<const char*>(&block), sizeof(block));
  int written = 0;
  while (stream->ready() && written < 100) {
    EXPECT_THAT(Write(*stream, StreamRecord::kBlock, record), IsOk());
    ++written;
  }
  EXPECT_EQ(written, 3);
  EXPECT_TRUE(stream->all_written());
  const uint32_t news = stream->news();
  for (int i = 0; i < 2; ++i) EXPECT_EQ(Read(*taken_[0]), record);
  EXPECT_NE(stream->news(), news) << "half of the limit is free";
  EXPECT_THAT(stream->Flush(), IsOk());
  EXPECT_TRUE(stream->ready());
}

TEST_F(StreamsTest, AMessageAboveTheLimitIsLeftOut) {
  server_.SetAccepting(true);
  const std::unique_ptr<ClientStream> stream = Open();
  EXPECT_THAT(Write(*stream, StreamRecord::kMessage, std::string(11, 'x')), IsOk());
  EXPECT_THAT(Write(*stream, StreamRecord::kMessage, std::string(10, 'x')), IsOk());
  stream->Post();
  EXPECT_THAT(Serve(), IsOk());
  ASSERT_EQ(taken_.size(), 1);
  taken_[0]->LimitMessages(10);
  StreamItem record;
  EXPECT_THAT(taken_[0]->Next(&record), IsOkAndHolds(true));
  EXPECT_EQ(record.too_large, 11);
  EXPECT_EQ(Read(*taken_[0]), std::string(10, 'x'));
}

TEST_F(StreamsTest, ASlotThatWasNotPostedIsFreeAgain) {
  server_.SetAccepting(true);
  for (int i = 0; i < 5; ++i) {
    const std::unique_ptr<ClientStream> stream = Open();
    ASSERT_NE(stream, nullptr) << i;
    stream->Discard();
  }
  EXPECT_EQ(client_.busy(), 0);
  const std::unique_ptr<ClientStream> stream = Open();
  stream->Post();
  EXPECT_THAT(Serve(), IsOk());
  EXPECT_EQ(stream->state(), StreamState::kTaken);
}

TEST_F(StreamsTest, ABlockIsUnfinishedUntilItsRecordIsInTheRing) {
  server_.SetAccepting(true);
  const std::unique_ptr<ClientStream> stream = Open();
  stream->Post();
  EXPECT_THAT(Serve(), IsOk());
  const BlockDescriptor block{.begin = 0, .bytes = 1};
  const std::string record(reinterpret_cast<const char*>(&block), sizeof(block));
  EXPECT_THAT(Write(*stream, StreamRecord::kMessage, std::string(kStreamRingBytes, 'x')), IsOk());
  EXPECT_THAT(Write(*stream, StreamRecord::kBlock, record), IsOk());
  EXPECT_EQ(stream->unfinished_blocks().size(), 1);
  Read(*taken_[0]);
  EXPECT_THAT(stream->Flush(), IsOk());
  EXPECT_THAT(Write(*stream, StreamRecord::kMessage, std::string(kStreamRingBytes, 'x')), IsOk());
  EXPECT_FALSE(stream->all_written());
  EXPECT_TRUE(stream->unfinished_blocks().empty());
}

TEST_F(StreamsTest, SlotsAreGrantedAsTheyAreUsedAndTakenAsTheBudgetAllows) {
  budget_ = 6 * 2 * kStreamRingBytes;
  server_.SetAccepting(true);
  const SharedU32& granted = server_side_.At(&image_->server_news)->granted;
  EXPECT_EQ(granted, 2);
  EXPECT_EQ(budget_, 6 * 2 * kStreamRingBytes) << "nothing is used yet";
  std::vector<std::unique_ptr<ClientStream>> streams;
  while (streams.size() < kStreamSlots) {
    streams.push_back(Open());
    ASSERT_NE(streams.back(), nullptr) << streams.size();
    streams.back()->Post();
    EXPECT_THAT(Serve(), IsOk());
    EXPECT_EQ(streams.back()->state(),
              streams.size() <= 6 ? StreamState::kTaken : StreamState::kRefused);
  }
  EXPECT_EQ(Open(), nullptr);
  // A slot is paid for once.
  Finish(*streams[0], *taken_[0]);
  const std::unique_ptr<ClientStream> next = Open();
  next->Post();
  EXPECT_THAT(Serve(), IsOk());
  EXPECT_EQ(next->state(), StreamState::kTaken);
  server_.SetAccepting(false);
  EXPECT_EQ(granted, 0);
}

}  // namespace
}  // namespace grpc_cxl::internal
