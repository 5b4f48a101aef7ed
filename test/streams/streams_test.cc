// SPDX-License-Identifier: Apache-2.0

// Both halves of a stream area in one process: what a stream is from its first record to the free
// slot, and what a hostile client can do.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "absl/status/status_matchers.h"
#include "grpc_cxl/blocks/block_layout.h"
#include "grpc_cxl/streams/stream_layout.h"
#include "test/streams/streams_fixture.h"

namespace grpc_cxl::internal {
namespace {

using ::absl_testing::IsOk;
using ::absl_testing::IsOkAndHolds;
using ::absl_testing::StatusIs;

constexpr auto kDataLoss = absl::StatusCode::kDataLoss;

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
    EXPECT_THAT(Serve(), IsOk());
    const bool rest = !stream->all_written();
    EXPECT_THAT(stream->Flush(), IsOk());
    EXPECT_EQ(server_.Ready(), rest);
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

TEST_F(StreamsTest, AStreamThatIsNotTakenLeavesItsSlotFree) {
  server_.SetAccepting(true);
  takes_ = false;
  const std::unique_ptr<ClientStream> stream = Open();
  EXPECT_THAT(Write(*stream, StreamRecord::kHead, "head"), IsOk());
  stream->Post();
  EXPECT_THAT(Serve(), IsOk());
  EXPECT_EQ(stream->state(), StreamState::kRefused);
  EXPECT_EQ(server_.running(), 0);
  stream->Close();
  EXPECT_THAT(Serve(), IsOk());
  EXPECT_EQ(server_.busy(), 0);
  takes_ = true;
  const std::unique_ptr<ClientStream> next = Open();
  EXPECT_THAT(Write(*next, StreamRecord::kHead, "next"), IsOk());
  next->Post();
  EXPECT_THAT(Serve(), IsOk());
  ASSERT_EQ(taken_.size(), 1);
  EXPECT_EQ(Read(*taken_[0]), "next");
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

TEST_F(StreamsTest, AServerThatDoesNotAcceptRefuses) {
  server_.SetAccepting(true);
  const std::unique_ptr<ClientStream> stream = Open();
  server_.SetAccepting(false);
  stream->Post();
  EXPECT_THAT(Serve(), IsOk());
  EXPECT_TRUE(taken_.empty());
  EXPECT_EQ(stream->state(), StreamState::kRefused);
}

TEST_F(StreamsTest, ARefusedStreamEndsWhileItsClientWritesOn) {
  server_.SetAccepting(true);
  takes_ = false;
  const std::unique_ptr<ClientStream> stream = Open();
  stream->Post();
  EXPECT_THAT(Serve(), IsOk());
  std::atomic<bool> stop{false};
  std::thread client([&] {
    while (!stop) {
      EXPECT_THAT(
          stream->ready() ? Write(*stream, StreamRecord::kMessage, "more") : stream->Flush(),
          IsOk());
    }
  });
  std::thread server([&] {
    while (!stop) EXPECT_THAT(Serve(), IsOk());
  });
  server_.Ended();
  stop = true;
  client.join();
  server.join();
  EXPECT_EQ(server_.busy(), 0);
}

TEST_F(StreamsTest, AConnectionThatEndsAsAStreamIsTakenTellsItsUserOnce) {
  server_.SetAccepting(true);
  const std::unique_ptr<ClientStream> stream = Open();
  stream->SetWaiter(kStreamPolled);
  stream->Post();
  on_wake_ = [this] { server_.Ended(); };
  EXPECT_THAT(Serve(), IsOk());
  EXPECT_EQ(server_user_->ended, 1);
  EXPECT_EQ(server_user_->news, 0) << "as the stream may be gone";
  EXPECT_EQ(server_.busy(), 0);
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

TEST_F(StreamsTest, AHostileClientIsAnError) {
  server_.SetAccepting(true);
  // A slot that was not granted.
  const StreamMemory memory = Memory(client_side_);
  Store(memory.client_slot(kStreamSlots - 1).generation, 1u);
  Store(memory.client_news->of_slot[kStreamSlots - 1], 1u);
  Store(memory.client_news->total, uint64_t{1});
  EXPECT_THAT(Serve(), StatusIs(kDataLoss));

  const std::unique_ptr<ClientStream> stream = Open();
  stream->Post();
  EXPECT_THAT(Serve(), IsOk());
  ASSERT_EQ(taken_.size(), 1);
  StreamItem record;
  EXPECT_THAT(Write(*stream, static_cast<StreamRecord>(9), "what"), IsOk());
  EXPECT_THAT(taken_[0]->Next(&record), StatusIs(kDataLoss));
  EXPECT_THAT(Write(*stream, StreamRecord::kMessage, "fine"), IsOk());
  EXPECT_THAT(taken_[0]->Next(&record), StatusIs(kDataLoss)) << "for good";

  const auto second = Open();
  second->Post();
  EXPECT_THAT(Serve(), IsOk());
  EXPECT_THAT(Write(*second, StreamRecord::kBlock, "no block"), IsOk());
  EXPECT_THAT(taken_[1]->Next(&record), IsOkAndHolds(true)) << "of its size";
  EXPECT_THAT(Write(*second, StreamRecord::kBlock, "no block at all"), IsOk());
  EXPECT_THAT(taken_[1]->Next(&record), StatusIs(kDataLoss));

  const auto third = Open();
  third->Post();
  EXPECT_THAT(Serve(), IsOk());
  Store(memory.client_slot(2).tx.head, uint64_t{3 * kStreamRingBytes});
  EXPECT_THAT(taken_[2]->Next(&record), StatusIs(kDataLoss));
}

}  // namespace
}  // namespace grpc_cxl::internal
