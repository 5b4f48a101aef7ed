// SPDX-License-Identifier: Apache-2.0

// Both halves of a stream area in one process: what a stream is from its first record to the free
// slot, and what a hostile client can do.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <cstring>
#include <functional>
#include <memory>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "absl/status/status_matchers.h"
#include "grpc_cxl/blocks/block_layout.h"
#include "grpc_cxl/streams/client_streams.h"
#include "grpc_cxl/streams/server_streams.h"
#include "grpc_cxl/streams/stream_layout.h"
#include "grpc_cxl/streams/stream_memory.h"
#include "grpc_cxl/streams/stream_pipe.h"
#include "test/coherence/test_view.h"

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
    return server_.Run([this](std::unique_ptr<ServerStream> stream) -> std::shared_ptr<StreamUser> {
      if (on_begin_) on_begin_();
      if (!takes_) return nullptr;
      taken_.push_back(std::move(stream));
      return server_user_;
    });
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

  struct Image {
    StreamNewsWords client_news, server_news;
    alignas(kWriterAlignment) char area[kStreamAreaBytes];
  };
  // As that side sees it.
  StreamMemory Memory(const TestView& side) {
    return {.area = side.At(absl::MakeSpan(image_->area)),
            .client_news = side.At(&image_->client_news),
            .server_news = side.At(&image_->server_news),
            .wake_peer =
                [this] {
                  ++wakes_;
                  if (on_wake_) std::exchange(on_wake_, nullptr)();
                },
            .view = side.view()};
  }
  // As a hostile client.
  template <typename T>
  void Store(std::atomic<T>& word, T value) {
    client_side_.view().Store(word, value, std::memory_order_release);
  }

  std::atomic<int> wakes_{0};
  std::function<void()> on_wake_, on_begin_;
  const std::unique_ptr<Image> image_{new Image()};
  const TestView client_side_{image_.get()}, server_side_{image_.get()};
  const std::shared_ptr<NoUser> user_ = std::make_shared<NoUser>();
  const std::shared_ptr<NoUser> server_user_ = std::make_shared<NoUser>();
  size_t budget_ = kStreamAreaBytes;
  ClientStreams client_{Memory(client_side_)};
  ServerStreams server_{Memory(server_side_), [this](size_t bytes) {
                          if (bytes > budget_) return false;
                          budget_ -= bytes;
                          return true;
                        }};
  bool takes_ = true;
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

TEST_F(StreamsTest, SlotsAreGrantedAsTheyAreUsedAndAsTheBudgetAllows) {
  budget_ = 6 * 2 * kStreamRingBytes;
  server_.SetAccepting(true);
  const SharedU32& granted = server_side_.At(&image_->server_news)->granted;
  EXPECT_EQ(granted, 2);
  std::vector<std::unique_ptr<ClientStream>> streams;
  while (streams.size() < kStreamSlots) {
    streams.push_back(Open());
    if (streams.back() == nullptr) break;
    streams.back()->Post();
    EXPECT_THAT(Serve(), IsOk());
  }
  EXPECT_EQ(streams.size(), 7) << "six, and one in vain";
  server_.SetAccepting(false);
  EXPECT_EQ(granted, 0);
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
