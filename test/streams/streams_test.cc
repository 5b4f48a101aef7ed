// SPDX-License-Identifier: Apache-2.0

// Both halves of a stream area in one process: what a stream is from its first record to the free
// slot, and what a hostile client can do.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <cstring>
#include <functional>
#include <iostream>
#include <memory>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "absl/status/status_matchers.h"
#include "absl/synchronization/mutex.h"
#include "grpc_cxl/blocks/block_layout.h"
#include "grpc_cxl/priority_level.h"
#include "grpc_cxl/streams/client_streams.h"
#include "grpc_cxl/streams/server_streams.h"
#include "grpc_cxl/streams/stream_layout.h"
#include "grpc_cxl/streams/stream_memory.h"
#include "grpc_cxl/streams/stream_pipe.h"

namespace grpc_cxl::internal {
namespace {

using ::absl_testing::IsOk;
using ::absl_testing::IsOkAndHolds;
using ::absl_testing::StatusIs;

constexpr auto kDataLoss = absl::StatusCode::kDataLoss;

class NoUser : public StreamUser {
 public:
  void OnNews() override { ++news; }
  void OnEnded() override { ++ended; }
  std::atomic<int> news{0}, ended{0};
};

class StreamsTest : public ::testing::Test {
 protected:
  std::unique_ptr<ClientStream> Open() { return client_.Open(user_); }

  // The server looks; takes what is posted unless `takes_` is false.
  absl::Status Serve() {
    ServerStreams::News news = server_.Run(
        [this](Priority) { return has_room_; },
        [this](auto stream, Priority priority) { return Take(std::move(stream), priority); });
    for (const auto& stream : news.waiting) waiting_.push_back(stream);
    for (const auto& stream : news.withdrawn) withdrawn_.push_back(stream);
    return std::move(news.status);
  }
  std::shared_ptr<StreamUser> Take(std::unique_ptr<ServerStream> stream, Priority priority) {
    priority_ = priority;
    if (!takes_) return nullptr;
    taken_.push_back(std::move(stream));
    return server_user_;
  }

  template <typename Stream>
  static absl::Status Write(Stream& stream, StreamRecord kind, std::string bytes) {
    const absl::Span<const char> pieces[] = {bytes};
    return stream.Write(kind, pieces);
  }
  template <typename Stream>
  static std::string Read(Stream& stream) {
    StreamItem record;
    const absl::StatusOr<bool> complete = stream.Next(&record);
    EXPECT_THAT(complete, IsOk());
    return complete.ok() && *complete ? record.bytes : "nothing";
  }

  // The server ends a stream with a status, and the client closes it.
  static void Finish(ClientStream& stream, ServerStream& taken) {
    EXPECT_THAT(Write(taken, StreamRecord::kEnd, "status"), IsOk());
    taken.SetEnded();
    EXPECT_EQ(Read(stream), "status");
    stream.Close();
    EXPECT_TRUE(taken.closed());
    EXPECT_EQ(Read(taken), "nothing");
    taken.Free();
  }

  StreamMemory Memory() {
    return {.area = absl::MakeSpan(reinterpret_cast<char*>(area_.get()), kStreamAreaBytes),
            .client_news = client_news_.get(),
            .server_news = server_news_.get(),
            .wake_peer = [this] {
              ++wakes_;
              if (on_wake_) std::exchange(on_wake_, nullptr)();
            }};
  }

  struct alignas(kWriterAlignment) Line {
    char bytes[kWriterAlignment];
  };
  std::atomic<int> wakes_{0};
  std::function<void()> on_wake_;
  const std::unique_ptr<Line[]> area_{new Line[kStreamAreaBytes / sizeof(Line)]()};
  const std::unique_ptr<StreamNewsWords> client_news_{new StreamNewsWords()};
  const std::unique_ptr<StreamNewsWords> server_news_{new StreamNewsWords()};
  const std::shared_ptr<NoUser> user_ = std::make_shared<NoUser>();
  const std::shared_ptr<NoUser> server_user_ = std::make_shared<NoUser>();
  size_t budget_ = kStreamAreaBytes;
  ClientStreams client_{Memory()};
  ServerStreams server_{Memory(), [this](size_t bytes) {
                          if (bytes > budget_) return false;
                          budget_ -= bytes;
                          return true;
                        }};
  bool takes_ = true, has_room_ = true;
  Priority priority_ = Priority::kDefault;
  std::vector<ServerStreams::Waiting> waiting_, withdrawn_;
  std::vector<std::unique_ptr<ServerStream>> taken_;
};

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

TEST_F(StreamsTest, SlotsAreGrantedAsTheyAreUsedAndTakenAsTheBudgetAllows) {
  budget_ = 6 * 2 * kStreamRingBytes;
  server_.SetAccepting(true);
  EXPECT_EQ(server_news_->granted, 2);
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
  EXPECT_EQ(server_news_->granted, 0);
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

// A stream that ends while its client writes a record leaves nothing to the next one of its slot.
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

// Whoever is first, the client that takes a stream back or the server that takes it, both agree.
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

  stream->SetWaiter(kStreamParked);
  const uint32_t seen = stream->news();
  std::thread server(
      [this] { EXPECT_THAT(Write(*taken_[0], StreamRecord::kMessage, "three"), IsOk()); });
  while (stream->news() == seen) stream->Park(seen, 1'000'000'000);
  server.join();
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
  Memory().client_slot(kStreamSlots - 1).generation = 1;
  ++client_news_->of_slot[kStreamSlots - 1];
  ++client_news_->total;
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
  Memory().client_slot(2).tx.head = 3 * kStreamRingBytes;
  EXPECT_THAT(taken_[2]->Next(&record), StatusIs(kDataLoss));
}

}  // namespace
}  // namespace grpc_cxl::internal
