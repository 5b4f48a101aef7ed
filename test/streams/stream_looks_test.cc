// SPDX-License-Identifier: Apache-2.0

// A look at a stream's ring ends, however fast the other side writes on, and nothing is missed.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <functional>
#include <memory>
#include <string>

#include "absl/status/status_matchers.h"
#include "grpc_cxl/streams/stream_layout.h"
#include "test/streams/streams_fixture.h"

namespace grpc_cxl::internal {
namespace {

using ::absl_testing::IsOk;

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

}  // namespace
}  // namespace grpc_cxl::internal
