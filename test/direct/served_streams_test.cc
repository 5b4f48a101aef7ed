// SPDX-License-Identifier: Apache-2.0

// Streams that wait for a place in their server's capacity: who begins them, and what their
// connection hears when they are not begun after all.

#include "grpc_cxl/direct/served_streams.h"

#include <functional>
#include <memory>
#include <utility>
#include <vector>

#include "absl/status/status_matchers.h"
#include "absl/types/span.h"
#include "grpc_cxl/calls/call_capacity.h"
#include "grpc_cxl/streams/client_streams.h"
#include "grpc_cxl/streams/server_streams.h"
#include "grpc_cxl/streams/stream_layout.h"
#include "grpc_cxl/streams/stream_memory.h"
#include "gtest/gtest.h"

namespace grpc_cxl::internal {
namespace {

using ::absl_testing::IsOk;

struct NoUser : StreamUser {
  void OnNews() override {}
  void OnEnded() override {}
};

class ServedStreamsTest : public ::testing::Test {
 protected:
  ServedStreamsTest() {
    capacity_->Set(1);
    served_->Accept();
  }
  std::unique_ptr<ClientStream> Post() {
    std::unique_ptr<ClientStream> stream = client_.Open(std::make_shared<NoUser>());
    EXPECT_NE(stream, nullptr);
    stream->Post();
    EXPECT_THAT(served_->Run(), IsOk());
    return stream;
  }
  StreamMemory Memory() {
    return {.area = absl::MakeSpan(image_->area),
            .client_news = &image_->client_news,
            .server_news = &image_->server_news,
            .wake_peer = [] {}};
  }
  struct Image {
    StreamNewsWords client_news, server_news;
    alignas(kWriterAlignment) char area[kStreamAreaBytes];
  };
  struct Begun {
    std::unique_ptr<ServerStream> stream;
    StreamTerms terms;
  };

  const std::unique_ptr<Image> image_{new Image()};
  const std::shared_ptr<CallCapacity> capacity_ = std::make_shared<CallCapacity>();
  ClientStreams client_{Memory()};
  std::vector<Begun> begun_;
  bool takes_ = true;
  std::function<void()> on_begin_;
  std::vector<int> overs_;  // how many ran then
  const std::shared_ptr<ServedStreams> served_ = std::make_shared<ServedStreams>(
      std::make_unique<ServerStreams>(Memory(), [](size_t) { return true; }), capacity_,
      [this] { return served_; },
      [this](std::unique_ptr<ServerStream> stream,
             StreamTerms terms) -> std::shared_ptr<StreamUser> {
        if (on_begin_) on_begin_();
        if (!takes_) return nullptr;
        begun_.push_back({std::move(stream), std::move(terms)});
        return std::make_shared<NoUser>();
      },
      [] {}, [this] { overs_.push_back(served_->running()); });
};

TEST_F(ServedStreamsTest, APlaceThatItsHandlerDoesNotHoldGoesToTheNextStream) {
  for (const bool named : {false, true}) {
    begun_.clear();
    if (named) capacity_->SetHandlersHold();
    const auto first = Post(), second = Post();
    ASSERT_EQ(begun_.size(), 1u);
    EXPECT_EQ(begun_[0].terms.place_name.empty(), !named);
    std::shared_ptr<void> place = std::move(begun_[0].terms.place);
    place = nullptr;
    ASSERT_EQ(begun_.size(), 2u);
    EXPECT_EQ(second->state(), StreamState::kTaken);
    EXPECT_EQ(capacity_->running(), 1u);
  }
}

TEST_F(ServedStreamsTest, AStreamThatNobodyTakesAfterItHasWaitedIsOver) {
  for (const bool taken_back : {false, true}) {
    ASSERT_TRUE(capacity_->Enter());
    const std::unique_ptr<ClientStream> stream = Post();
    EXPECT_EQ(stream->state(), StreamState::kNone);
    takes_ = taken_back;
    if (taken_back) on_begin_ = [&] { EXPECT_TRUE(stream->TakeBack()); };
    overs_.clear();
    capacity_->Leave();
    EXPECT_EQ(stream->state(), StreamState::kRefused);
    EXPECT_EQ(overs_, std::vector<int>{0});
    begun_.clear();
    EXPECT_EQ(capacity_->running(), 0u);
    on_begin_ = nullptr;
  }
}

}  // namespace
}  // namespace grpc_cxl::internal
