// SPDX-License-Identifier: Apache-2.0

// Where there is no memory for a ring's page, one stream does without or waits, and the others and
// their connection go on.

#include "grpc_cxl/streams/stream_memory.h"

#include <errno.h>
#include <gtest/gtest.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status_matchers.h"
#include "absl/types/span.h"
#include "grpc_cxl/ring/ring_layout.h"
#include "grpc_cxl/ring/ring_writer.h"
#include "grpc_cxl/streams/client_streams.h"
#include "grpc_cxl/streams/server_streams.h"
#include "grpc_cxl/streams/stream_layout.h"
#include "test/streams/mapped_stream_memory.h"

namespace {

// There is no memory in here.
absl::Span<char> g_none;
// Of all that was allocated.
std::atomic<size_t> g_largest{0};

}  // namespace

void* operator new(size_t bytes) {
  if (bytes > g_largest) g_largest = bytes;
  void* const memory = malloc(bytes);
  if (memory == nullptr) abort();
  return memory;
}
void operator delete(void* memory) noexcept { free(memory); }
void operator delete(void* memory, size_t) noexcept { free(memory); }

// In front of the C library's.
extern "C" int madvise(void* data, size_t size, int advice) noexcept {
  constexpr int kPopulateWrite = 23;  // newer than some systems' headers
  if (advice == kPopulateWrite && data >= g_none.data() && data < g_none.data() + g_none.size()) {
    errno = ENOMEM;
    return -1;
  }
  return static_cast<int>(syscall(SYS_madvise, data, size, advice));
}

namespace grpc_cxl::internal {
namespace {

using ::absl_testing::IsOk;
using ::absl_testing::IsOkAndHolds;

class StreamMemoryTest : public ::testing::Test {
 protected:
  struct NoUser : StreamUser {
    void OnNews() override {}
    void OnEnded() override {}
  };

  StreamMemoryTest() { server_.SetAccepting(true); }
  ~StreamMemoryTest() override { g_none = {}; }
  void SetUp() override {
    const absl::Status status = Memory().pages.Reserve(memory_.area().first(1));
    if (!status.ok()) GTEST_SKIP() << "older than Linux 5.14? " << status;
  }

  StreamMemory Memory() { return memory_.ForASide(); }
  std::unique_ptr<ClientStream> Open() { return client_.Open(std::make_shared<NoUser>()); }
  void Serve() {
    const auto news = server_.Run([](Priority) { return true; },
                                  [this](std::unique_ptr<ServerStream> stream, Priority) {
                                    taken_.push_back(std::move(stream));
                                    return std::make_shared<NoUser>();
                                  });
    EXPECT_THAT(news.status, IsOk());
  }
  static void Write(StreamEnd& stream, const std::string& message) {
    const absl::Span<const char> pieces[] = {message};
    EXPECT_THAT(stream.Write(StreamRecord::kMessage, pieces), IsOk());
  }
  static std::string Read(StreamEnd& stream) {
    stream.BeginLook();
    StreamItem item;
    const absl::StatusOr<bool> complete = stream.Next(&item);
    EXPECT_THAT(complete, IsOk());
    return complete.ok() && *complete ? item.bytes : "nothing";
  }

  const MappedStreamMemory memory_;
  ClientStreams client_{Memory()};
  ServerStreams server_{Memory(), [](size_t) { return true; }};
  std::vector<std::unique_ptr<ServerStream>> taken_;
};

TEST_F(StreamMemoryTest, AServerWithoutItRefusesAStreamAndServesTheOthers) {
  const std::unique_ptr<ClientStream> first = Open(), second = Open();
  first->Post();
  Serve();
  g_none = Memory().ring_to_client(1);
  second->Post();
  Serve();
  EXPECT_EQ(second->state(), StreamState::kRefused);
  ASSERT_EQ(taken_.size(), 1u);
  Write(*taken_[0], "served");
  EXPECT_EQ(Read(*first), "served");

  second->Close();
  Serve();
  g_none = {};
  const std::unique_ptr<ClientStream> third = Open();
  ASSERT_NE(third, nullptr);
  third->Post();
  Serve();
  EXPECT_EQ(third->state(), StreamState::kTaken);
}

TEST_F(StreamMemoryTest, AClientWithoutItBeginsNoStream) {
  g_none = Memory().ring_to_server(0);
  EXPECT_EQ(Open(), nullptr);
  EXPECT_EQ(client_.busy(), 0);
  g_none = {};
  const std::unique_ptr<ClientStream> stream = Open();
  ASSERT_NE(stream, nullptr);
  stream->Post();
  Serve();
  EXPECT_EQ(stream->state(), StreamState::kTaken);
}

TEST_F(StreamMemoryTest, ARefusedStreamTakesNoneForWhatNobodyReads) {
  const std::unique_ptr<ClientStream> stream = Open();
  stream->Post();
  server_.SetAccepting(false);
  Serve();
  ASSERT_EQ(stream->state(), StreamState::kRefused);
  StreamMemory memory = Memory();
  RingWriter ring(&memory.client_slot(0).tx, &memory.server_slot(0).rx, memory.ring_to_server(0));
  const StreamRecordHead head{static_cast<uint32_t>(StreamRecord::kMessage), 1 << 30};
  EXPECT_THAT(ring.Write({reinterpret_cast<const char*>(&head), sizeof(head)}), IsOk());
  const std::string some(kStreamRingBytes / 2, 'x');
  g_largest = 0;
  constexpr uint64_t kPieces = 100;
  for (uint64_t i = 0; i < kPieces; ++i) {
    EXPECT_THAT(ring.Write(some), IsOkAndHolds(some.size()));
    ring.Publish();
    ++memory.client_news->of_slot[0];
    ++memory.client_news->total;
    Serve();
  }
  EXPECT_EQ(server_.bytes().in, sizeof(head) + kPieces * some.size());
  EXPECT_LT(g_largest, kStreamRingBytes);
}

TEST_F(StreamMemoryTest, AStreamUnderWayWaitsForIt) {
  const std::unique_ptr<ClientStream> stream = Open();
  stream->Post();
  Serve();
  ASSERT_EQ(taken_.size(), 1u);
  const std::string message(3 * 4096, 'x');
  const auto pass = [&message](StreamEnd& from, StreamEnd& to, absl::Span<char> ring) {
    g_none = ring;
    Write(from, "small");
    EXPECT_FALSE(from.starved()) << "it has a page from the beginning";
    EXPECT_EQ(Read(to), "small");
    Write(from, message);
    EXPECT_TRUE(from.starved());
    EXPECT_FALSE(from.ready());
    EXPECT_THAT(from.Flush(), IsOk());
    EXPECT_EQ(Read(to), "nothing");
    Write(from, "later");
    g_none = {};
    EXPECT_THAT(from.Flush(), IsOk());
    EXPECT_FALSE(from.starved());
    EXPECT_TRUE(from.ready());
    EXPECT_EQ(Read(to), message);
    EXPECT_EQ(Read(to), "later");
  };
  pass(*stream, *taken_[0], Memory().ring_to_server(0));
  pass(*taken_[0], *stream, Memory().ring_to_client(0));
}

}  // namespace
}  // namespace grpc_cxl::internal
