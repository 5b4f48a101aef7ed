// SPDX-License-Identifier: Apache-2.0

// A look at a stream's ring ends, however fast the other side writes on, and nothing is missed.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <cstring>
#include <functional>
#include <memory>
#include <string>
#include <thread>

#include "absl/status/status_matchers.h"
#include "grpc_cxl/streams/stream_layout.h"
#include "test/streams/streams_fixture.h"

namespace grpc_cxl::internal {
namespace {

using ::absl_testing::IsOk;
using ::absl_testing::IsOkAndHolds;

TEST_F(StreamsTest, ALookAtARefusedStreamEndsWhereItsClientFillsTheRingAgainAndAgain) {
  server_.SetAccepting(true);
  takes_ = false;
  const std::unique_ptr<ClientStream> stream = Open();
  stream->SetWaiter(kStreamPolled);
  stream->Post();
  EXPECT_THAT(Serve(), IsOk());
  ASSERT_EQ(stream->state(), StreamState::kRefused);

  constexpr uint64_t kBytes = 10 * kStreamRingBytes;
  const std::string message(1024 - sizeof(StreamRecordHead), 'x');
  for (uint64_t bytes = 0; bytes < kBytes; bytes += 1024) {
    EXPECT_THAT(Write(*stream, StreamRecord::kMessage, message), IsOk());
  }
  // Whenever the server says that there is space.
  std::function<void()> go_on = [&] {
    EXPECT_THAT(stream->Flush(), IsOk());
    on_wake_ = go_on;
  };
  on_wake_ = go_on;
  uint64_t seen = 0;
  for (int turns = 0; seen < kBytes && turns < 100; ++turns) {
    EXPECT_THAT(Serve(), IsOk());
    EXPECT_LE(server_.bytes().in - seen, kStreamRingBytes);
    seen = server_.bytes().in;
  }
  EXPECT_EQ(seen, kBytes);
  EXPECT_TRUE(stream->ready());
  on_wake_ = nullptr;
}

TEST_F(StreamsTest, ALookAtAMessageEndsWhileItsClientWritesOn) {
  if (!client_side_.view().coherent()) {
    GTEST_SKIP() << "the client below writes past the checker of flushes";
  }
  server_.SetAccepting(true);
  const std::unique_ptr<ClientStream> stream = Open();
  stream->Post();
  EXPECT_THAT(Serve(), IsOk());
  ASSERT_EQ(taken_.size(), 1u);
  // In two pieces then, of which the client sees the first go.
  const std::string half(kStreamRingBytes / 2 - sizeof(StreamRecordHead), 'x');
  EXPECT_THAT(Write(*stream, StreamRecord::kMessage, half), IsOk());
  EXPECT_EQ(Read(*taken_[0]), half);
  const StreamRecordHead head{static_cast<uint32_t>(StreamRecord::kMessage), UINT32_MAX};
  memcpy(&image_->area[kStreamRingsAt + kStreamRingBytes / 2], &head, sizeof(head));
  std::atomic<bool> stop{false};
  std::thread client([&] {
    const StreamMemory memory = Memory(client_side_);
    while (!stop) {
      Store(memory.client_slot(0).tx.head, memory.server_slot(0).rx.tail + kStreamRingBytes);
    }
  });
  StreamItem record;
  const uint64_t began = server_.bytes().in;
  while (server_.bytes().in - began < 100 * kStreamRingBytes) {  // the client may begin late
    const uint64_t before = server_.bytes().in;
    taken_[0]->BeginLook();
    EXPECT_THAT(taken_[0]->Next(&record), IsOkAndHolds(false));
    EXPECT_LE(server_.bytes().in - before, kStreamRingBytes);
  }
  stop = true;
  client.join();
}

}  // namespace
}  // namespace grpc_cxl::internal
