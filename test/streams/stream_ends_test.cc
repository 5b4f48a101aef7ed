// SPDX-License-Identifier: Apache-2.0

// Streams that wait, are refused, taken back, cut amid or lose their connection, and what a hostile
// client can do.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <iostream>
#include <memory>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "absl/status/status_matchers.h"
#include "absl/synchronization/mutex.h"
#include "grpc_cxl/priority_level.h"
#include "grpc_cxl/streams/client_streams.h"
#include "grpc_cxl/streams/server_streams.h"
#include "grpc_cxl/streams/stream_layout.h"
#include "grpc_cxl/streams/stream_memory.h"
#include "grpc_cxl/streams/stream_pipe.h"
#include "test/streams/streams_fixture.h"

namespace grpc_cxl::internal {
namespace {

using ::absl_testing::IsOk;
using ::absl_testing::IsOkAndHolds;
using ::absl_testing::StatusIs;

constexpr auto kDataLoss = absl::StatusCode::kDataLoss;

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

TEST_F(StreamsTest, WhatWasTakenBackIsNotTaken) {
  server_.SetAccepting(true);
  const std::unique_ptr<ClientStream> stream = Open();
  stream->Post();
  EXPECT_TRUE(stream->TakeBack());
  EXPECT_THAT(Serve(), IsOk());
  EXPECT_TRUE(taken_.empty());
  const std::unique_ptr<ClientStream> other = Open();
  other->Post();
  EXPECT_THAT(Serve(), IsOk());
  EXPECT_FALSE(other->TakeBack());
  EXPECT_TRUE(taken_[0]->cancelled());
}

TEST_F(StreamsTest, AStreamWaitsWhereItIsUntilThereIsRoom) {
  server_.SetAccepting(true);
  has_room_ = false;
  const std::unique_ptr<ClientStream> first = Open(), second = Open();
  EXPECT_THAT(Write(*first, StreamRecord::kHead, "head"), IsOk());
  first->Post(Priority::kBulk);
  EXPECT_THAT(Serve(), IsOk());
  second->Post();
  EXPECT_THAT(Serve(), IsOk());
  ASSERT_EQ(waiting_.size(), 2);
  EXPECT_EQ(waiting_[0].priority, Priority::kBulk);
  EXPECT_EQ(waiting_[1].priority, Priority::kDefault);
  EXPECT_TRUE(taken_.empty());
  EXPECT_EQ(first->state(), StreamState::kNone);
  EXPECT_EQ(server_.running(), 0);
  EXPECT_THAT(Write(*first, StreamRecord::kMessage, "early"), IsOk());
  has_room_ = true;
  EXPECT_THAT(Serve(), IsOk());
  EXPECT_TRUE(taken_.empty()) << "its turn comes";

  const auto take = [this](auto stream, Priority priority) {
    return Take(std::move(stream), priority);
  };
  EXPECT_TRUE(server_.TakeWaiting(waiting_[0], take));
  EXPECT_FALSE(server_.TakeWaiting(waiting_[0], take)) << "once";
  EXPECT_EQ(priority_, Priority::kBulk);
  EXPECT_EQ(first->state(), StreamState::kTaken);
  ASSERT_EQ(taken_.size(), 1);
  EXPECT_EQ(Read(*taken_[0]), "head");
  EXPECT_EQ(Read(*taken_[0]), "early");

  second->Cancel();
  EXPECT_THAT(Serve(), IsOk());
  ASSERT_EQ(withdrawn_.size(), 1);
  EXPECT_EQ(withdrawn_[0].slot, waiting_[1].slot);
  EXPECT_EQ(second->state(), StreamState::kRefused);
  EXPECT_FALSE(server_.TakeWaiting(waiting_[1], take));
  second->Close();
  EXPECT_THAT(Serve(), IsOk());

  has_room_ = false;
  const std::unique_ptr<ClientStream> third = Open(), fourth = Open();
  third->Post();
  fourth->Post();
  EXPECT_THAT(Serve(), IsOk());
  ASSERT_EQ(waiting_.size(), 4);
  EXPECT_TRUE(server_.Refuse(waiting_[2]));
  EXPECT_EQ(third->state(), StreamState::kRefused);
  server_.Ended();
  EXPECT_FALSE(server_.Refuse(waiting_[3]));
  EXPECT_EQ(server_.busy(), 0);
}

TEST_F(StreamsTest, ARecordThatIsCutAmidIsNotSeenByTheNextStream) {
  server_.SetAccepting(true);
  const std::string large(3 * kStreamRingBytes, 'x');
  for (const std::string& body : {large, std::string(100, 'y')}) {
    const std::unique_ptr<ClientStream> stream = Open();
    ASSERT_NE(stream, nullptr);
    EXPECT_THAT(Write(*stream, StreamRecord::kHead, "head"), IsOk());
    stream->Post();
    EXPECT_THAT(Serve(), IsOk());
    ServerStream& taken = *taken_.back();
    EXPECT_EQ(Read(taken), "head");
    EXPECT_THAT(Write(*stream, StreamRecord::kMessage, body), IsOk());
    if (body.size() < kStreamRingBytes) {
      EXPECT_EQ(Read(taken), body);
    }
    Finish(*stream, taken);
    EXPECT_EQ(stream->state(), StreamState::kIdle);
  }
}

TEST_F(StreamsTest, WhatWasTakenBackNeverRunsHoweverTheyRace) {
  server_.SetAccepting(true);
  // Ends when its stream is closed.
  struct User : StreamUser {
    void OnNews() override {
      absl::MutexLock lock(mu);
      if (stream == nullptr) return;
      if (!std::exchange(begun, true)) ++*ran;
      StreamItem item;
      if (!stream->closed()) return;
      while (*stream->Next(&item)) {
      }
      std::exchange(stream, nullptr)->Free();
    }
    void OnEnded() override {}
    absl::Mutex mu;
    std::unique_ptr<ServerStream> stream;
    bool begun = false;
    std::atomic<int>* ran = nullptr;
  };
  std::atomic<int> ran{0};
  std::atomic<bool> stop{false};
  std::thread server([&] {
    while (!stop) {
      EXPECT_THAT(server_
                      .Run([](Priority) { return true; },
                           [&](std::unique_ptr<ServerStream> stream, Priority) {
                             auto user = std::make_shared<User>();
                             user->stream = std::move(stream);
                             user->ran = &ran;
                             return user;
                           })
                      .status,
                  IsOk());
    }
  });
  int taken = 0, taken_back = 0;
  for (int i = 0; i < 500; ++i) {
    std::unique_ptr<ClientStream> stream;
    while (stream == nullptr) stream = Open();
    const int ran_before = ran;
    stream->Post();
    for (volatile int pause = 0; pause < i % 300;) pause = pause + 1;
    const bool not_run = stream->TakeBack();
    // As a client that goes on would: the server has the last word, maybe behind a first one.
    stream->Cancel();
    while (stream->state() == StreamState::kNone ||
           (not_run && stream->state() == StreamState::kTaken)) {
      std::this_thread::yield();
    }
    if (not_run) {
      EXPECT_EQ(stream->state(), StreamState::kRefused) << i;
      EXPECT_EQ(ran, ran_before) << i;
    }
    (not_run ? taken_back : taken) += 1;
    stream->Close();
  }
  stop = true;
  server.join();
  EXPECT_GT(taken_back, 0);
  std::cout << taken << " were taken, " << taken_back << " not" << std::endl;
}

// The word has 24 bits of the generation, which goes on for ever.
TEST(StreamWordTest, TellsTheStreamsOfASlotApart) {
  for (const uint32_t generation : {1u, 0xffffffu, 0x1000000u, 0x1000001u, 0xffffffffu, 0u}) {
    const uint32_t word = MakeStreamWord(generation, StreamState::kEnded);
    EXPECT_EQ(StreamStateIn(word, generation), StreamState::kEnded) << generation;
    EXPECT_EQ(StreamStateIn(word, generation + 1), StreamState::kNone) << generation;
    EXPECT_EQ(StreamStateIn(word, generation - 1), StreamState::kNone) << generation;
  }
}

TEST_F(StreamsTest, BothSidesHearOfTheEnd) {
  server_.SetAccepting(true);
  const std::unique_ptr<ClientStream> stream = Open();
  stream->Post();
  EXPECT_THAT(Serve(), IsOk());
  server_.Ended();
  client_.Ended();
  EXPECT_EQ(user_->ended, 1);
  EXPECT_EQ(server_user_->ended, 1);
  EXPECT_EQ(client_.busy() + server_.busy(), 0);
  EXPECT_EQ(Open(), nullptr);
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
