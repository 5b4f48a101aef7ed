// SPDX-License-Identifier: Apache-2.0

// The memory of streams' rings: each page taken when it is first written to, and given back at
// rest, under a stream that goes on or behind one that is over.

#include <gtest/gtest.h>
#include <sys/mman.h>

#include <cstring>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status_matchers.h"
#include "grpc_cxl/streams/client_streams.h"
#include "grpc_cxl/streams/server_streams.h"
#include "grpc_cxl/streams/stream_layout.h"
#include "grpc_cxl/streams/stream_memory.h"
#include "test/streams/mapped_stream_memory.h"

namespace grpc_cxl::internal {
namespace {

using ::absl_testing::IsOk;

class NoUser : public StreamUser {
 public:
  explicit NoUser(StreamEnd** stream) : stream_(*stream) {}
  void OnNews() override {}
  void OnEnded() override {}
  void OnRest() override {
    if (stream_ != nullptr) stream_->Rest();
  }

 private:
  StreamEnd*& stream_;
};

class StreamRestTest : public ::testing::Test {
 protected:
  StreamRestTest() { server_.SetAccepting(true); }

  StreamMemory Memory() { return memory_.ForASide(/*trust_peer=*/true); }
  // Of the area.
  size_t PagesInUse() const {
    std::vector<unsigned char> there(kStreamAreaBytes / 4096);
    EXPECT_EQ(mincore(memory_.area().data(), kStreamAreaBytes, there.data()), 0);
    size_t pages = 0;
    for (const unsigned char page : there) pages += page & 1;
    return pages;
  }

  void OpenStream() {
    stream_ = client_.Open(std::make_shared<NoUser>(&client_end_));
    ASSERT_NE(stream_, nullptr);
    stream_->Post();
    const auto news = server_.Run([](Priority) { return true; },
                                  [this](std::unique_ptr<ServerStream> stream, Priority) {
                                    taken_ = std::move(stream);
                                    return std::make_shared<NoUser>(&server_end_);
                                  });
    ASSERT_THAT(news.status, IsOk());
    client_end_ = stream_.get();
    server_end_ = taken_.get();
  }
  template <typename From, typename To>
  static void Pass(From& from, To& to, char fill) {
    const std::string message(kStreamRingBytes - 100, fill);
    const absl::Span<const char> pieces[] = {message};
    EXPECT_THAT(from.Write(StreamRecord::kMessage, pieces), IsOk());
    to.BeginLook();
    StreamItem item;
    EXPECT_TRUE(*to.Next(&item));
    EXPECT_EQ(item.bytes, message);
  }
  void CloseStream() {
    EXPECT_THAT(taken_->Write(StreamRecord::kEnd, {}), IsOk());
    taken_->SetEnded();
    StreamItem item;
    EXPECT_TRUE(*stream_->Next(&item));
    client_end_ = server_end_ = nullptr;
    stream_->Close();
    taken_->Free();
    stream_ = nullptr;
    taken_ = nullptr;
  }
  void Rest() {
    client_.Rest();
    server_.Rest();
  }

  const MappedStreamMemory memory_;
  StreamEnd *client_end_ = nullptr, *server_end_ = nullptr;
  ClientStreams client_{Memory()};
  ServerStreams server_{Memory(), [](size_t) { return true; }};
  std::unique_ptr<ClientStream> stream_;
  std::unique_ptr<ServerStream> taken_;
};

constexpr size_t kRingPages = kStreamRingBytes / 4096;
// The slots' words, and the page at which each ring stands.
constexpr size_t kFewPages = 4 + 2;

TEST_F(StreamRestTest, AConnectionWithoutStreamsTakesNone) {
  EXPECT_FALSE(client_.MayRest());
  Rest();
  EXPECT_EQ(PagesInUse(), 0u);
}

TEST_F(StreamRestTest, AStreamThatGoesOnGivesItBackAndTakesItAgain) {
  OpenStream();
  for (const char fill : {'a', 'b', 'c'}) {
    Pass(*stream_, *taken_, fill);
    Pass(*taken_, *stream_, fill);
    EXPECT_GE(PagesInUse(), 2 * kRingPages);
    EXPECT_TRUE(client_.MayRest());
    EXPECT_TRUE(server_.MayRest());
    Rest();
    EXPECT_LE(PagesInUse(), kFewPages);
    EXPECT_FALSE(client_.MayRest());
    EXPECT_FALSE(server_.MayRest());
  }
  CloseStream();
}

TEST_F(StreamRestTest, ASlotThatIsFreeGivesItBackAndServesAgain) {
  for (const char fill : {'a', 'b'}) {
    OpenStream();
    Pass(*stream_, *taken_, fill);
    Pass(*taken_, *stream_, fill);
    CloseStream();
    EXPECT_GE(PagesInUse(), 2 * kRingPages);
    Rest();
    EXPECT_LE(PagesInUse(), kFewPages);
  }
}

// Its reader has yet to read there.
TEST_F(StreamRestTest, WhatIsNotReadStays) {
  OpenStream();
  const std::string message(kStreamRingBytes / 2, 'x');
  const absl::Span<const char> pieces[] = {message};
  EXPECT_THAT(stream_->Write(StreamRecord::kMessage, pieces), IsOk());
  Rest();
  StreamItem item;
  EXPECT_TRUE(*taken_->Next(&item));
  EXPECT_EQ(item.bytes, message);
  Rest();
  EXPECT_LE(PagesInUse(), kFewPages);
  CloseStream();
}

}  // namespace
}  // namespace grpc_cxl::internal
