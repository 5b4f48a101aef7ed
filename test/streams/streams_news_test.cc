// SPDX-License-Identifier: Apache-2.0

// What each side hears of the other in a stream area: news, ends, space, and free slots.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "absl/status/status_matchers.h"
#include "test/streams/streams_fixture.h"

namespace grpc_cxl::internal {
namespace {

using ::absl_testing::IsOk;

TEST_F(StreamsTest, OnlyAWaiterIsTold) {
  server_.SetAccepting(true);
  const std::unique_ptr<ClientStream> stream = Open();
  stream->Post();
  EXPECT_THAT(Serve(), IsOk());
  wakes_ = 0;
  EXPECT_THAT(Write(*taken_[0], StreamRecord::kMessage, "one"), IsOk());
  EXPECT_FALSE(client_.Ready());
  EXPECT_EQ(wakes_, 0);
  stream->SetWaiter(kStreamPolled);
  EXPECT_THAT(Write(*taken_[0], StreamRecord::kMessage, "two"), IsOk());
  EXPECT_TRUE(client_.Ready());
  EXPECT_EQ(wakes_, 1);
  client_.Run();
  EXPECT_EQ(user_->news, 1);

  if (!client_side_.view().coherent()) return;  // no kernel sleeps on what it does not see
  stream->SetWaiter(kStreamParked);
  const uint32_t seen = stream->news();
  std::thread server(
      [this] { EXPECT_THAT(Write(*taken_[0], StreamRecord::kMessage, "three"), IsOk()); });
  while (stream->news() == seen) stream->Park(seen, 1'000'000'000);
  server.join();
}

TEST_F(StreamsTest, NewsOfEachSlotIsHeardOfOnBothSides) {
  server_.SetAccepting(true);
  std::vector<std::unique_ptr<ClientStream>> streams;
  for (size_t i = 0; i < kStreamSlots; ++i) {
    streams.push_back(Open());
    ASSERT_NE(streams.back(), nullptr) << i;
    streams.back()->SetWaiter(kStreamPolled);
    streams.back()->Post();
    user_->news = 0;
    EXPECT_THAT(Serve(), IsOk());
    ASSERT_EQ(taken_.size(), i + 1);
    EXPECT_TRUE(i % 2 == 1 || client_.Ready());
    client_.Run();
    EXPECT_EQ(user_->news, 1) << i;
    user_->news = server_user_->news = 0;
    EXPECT_THAT(Write(*streams[i], StreamRecord::kMessage, "one"), IsOk());
    EXPECT_TRUE(i % 2 == 1 || server_.Ready());
    EXPECT_THAT(Serve(), IsOk());
    EXPECT_EQ(server_user_->news, 1) << i;
    EXPECT_THAT(Write(*taken_[i], StreamRecord::kMessage, "two"), IsOk());
    EXPECT_TRUE(i % 2 == 1 || client_.Ready());  // it need not be asked
    client_.Run();
    EXPECT_EQ(user_->news, 1) << i;
    streams[i]->Close();
    EXPECT_THAT(Serve(), IsOk());
    EXPECT_EQ(server_user_->news, 2) << i;
  }
}

TEST_F(StreamsTest, EverySlotIsUsedAgain) {
  server_.SetAccepting(true);
  for (size_t i = 0; i < 4 * kStreamSlots; ++i) {
    takes_ = i % 2 == 0;
    const std::unique_ptr<ClientStream> stream = Open();
    ASSERT_NE(stream, nullptr) << i;
    uint32_t news = stream->news();
    stream->Post();
    EXPECT_THAT(Serve(), IsOk());
    EXPECT_NE(stream->news(), news);
    news = stream->news();
    if (takes_) taken_.back()->SetEnded();
    EXPECT_EQ(stream->news() != news, takes_);
    EXPECT_EQ(stream->state(), takes_ ? StreamState::kEnded : StreamState::kRefused) << i;
    stream->Close();
    EXPECT_THAT(Serve(), IsOk());
    if (takes_) taken_.back()->Free();
    EXPECT_EQ(server_.busy(), 0) << i;
  }
}

TEST_F(StreamsTest, AWaiterIsToldOfTheEnd) {
  server_.SetAccepting(true);
  const std::unique_ptr<ClientStream> stream = Open();
  stream->Post();
  EXPECT_THAT(Serve(), IsOk());
  EXPECT_FALSE(client_.Ready());
  stream->SetWaiter(kStreamPolled);
  taken_[0]->SetEnded();
  EXPECT_TRUE(client_.Ready());
}

TEST_F(StreamsTest, AWaiterIsToldOfSpace) {
  server_.SetAccepting(true);
  const std::unique_ptr<ClientStream> stream = Open();
  stream->Post();
  EXPECT_THAT(Serve(), IsOk());
  EXPECT_THAT(Write(*stream, StreamRecord::kMessage, std::string(2 * kStreamRingBytes, 'x')),
              IsOk());
  EXPECT_FALSE(client_.Ready());
  stream->SetWaiter(kStreamPolled);
  EXPECT_EQ(Read(*taken_[0]), "nothing");
  EXPECT_TRUE(client_.Ready());
}

TEST_F(StreamsTest, AServerHearsOfSpace) {
  server_.SetAccepting(true);
  const std::unique_ptr<ClientStream> stream = Open();
  stream->Post();
  EXPECT_THAT(Serve(), IsOk());
  const std::string large(3 * kStreamRingBytes, 'x');
  EXPECT_THAT(Write(*taken_[0], StreamRecord::kMessage, large), IsOk());
  std::string got = "nothing";
  for (int turns = 0; turns < 10 && got == "nothing"; ++turns) {
    got = Read(*stream);
    if (got == "nothing") {
      EXPECT_TRUE(server_.Ready());
    }
    EXPECT_THAT(Serve(), IsOk());
    EXPECT_THAT(taken_[0]->Flush(), IsOk());
  }
  EXPECT_EQ(got, large);
}

TEST_F(StreamsTest, WhatIsTakenBackWhileItIsTakenIsRefused) {
  server_.SetAccepting(true);
  const std::unique_ptr<ClientStream> stream = Open();
  stream->Post();
  on_begin_ = [&] { EXPECT_TRUE(stream->TakeBack()); };
  EXPECT_THAT(Serve(), IsOk());
  EXPECT_EQ(stream->state(), StreamState::kRefused);
  EXPECT_EQ(server_user_->news, 0);
}

}  // namespace
}  // namespace grpc_cxl::internal
