// SPDX-License-Identifier: Apache-2.0
#ifndef GRPC_CXL_TEST_STREAMS_STREAMS_FIXTURE_H_
#define GRPC_CXL_TEST_STREAMS_STREAMS_FIXTURE_H_

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status_matchers.h"
#include "grpc_cxl/priority_level.h"
#include "grpc_cxl/streams/client_streams.h"
#include "grpc_cxl/streams/server_streams.h"
#include "grpc_cxl/streams/stream_layout.h"
#include "grpc_cxl/streams/stream_memory.h"
#include "grpc_cxl/streams/stream_pipe.h"
#include "test/coherence/test_view.h"

namespace grpc_cxl::internal {

class NoUser : public StreamUser {
 public:
  void OnNews() override { ++news; }
  void OnEnded() override { ++ended; }
  std::atomic<int> news{0}, ended{0};
};

// Both halves of a stream area in one process, each with a view of its own.
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
    if (on_begin_) on_begin_();
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
    stream.BeginLook();
    StreamItem record;
    const absl::StatusOr<bool> complete = stream.Next(&record);
    EXPECT_THAT(complete, ::absl_testing::IsOk());
    return complete.ok() && *complete ? record.bytes : "nothing";
  }

  // The server ends a stream with a status, and the client closes it.
  static void Finish(ClientStream& stream, ServerStream& taken) {
    EXPECT_THAT(Write(taken, StreamRecord::kEnd, "status"), ::absl_testing::IsOk());
    taken.SetEnded();
    EXPECT_EQ(Read(stream), "status");
    stream.Close();
    EXPECT_TRUE(taken.closed());
    EXPECT_EQ(Read(taken), "nothing");
    taken.Free();
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
  bool takes_ = true, has_room_ = true;
  Priority priority_ = Priority::kDefault;
  std::vector<ServerStreams::Waiting> waiting_, withdrawn_;
  std::vector<std::unique_ptr<ServerStream>> taken_;
};

}  // namespace grpc_cxl::internal

#endif  // GRPC_CXL_TEST_STREAMS_STREAMS_FIXTURE_H_
