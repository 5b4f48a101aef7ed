// Proves gRPC's contract for an endpoint's reads and writes, as the conformance suite for
// event engines states it: bytes in order both ways; done at once means "true", bytes in the
// buffer and no callback; not done means "false" and one callback, never from inside the
// call; writes larger than the ring; slices that outlive their endpoint.

#include <atomic>
#include <memory>
#include <random>
#include <string>
#include <thread>

#include "absl/status/status_matchers.h"
#include "grpc_cxl/link/record_layout.h"
#include "gtest/gtest.h"
#include "test/endpoint/endpoint_pair.h"
#include "test/link/random_link_end.h"

namespace grpc_cxl::internal {
namespace {

using ::absl_testing::IsOk;
using ::absl_testing::IsOkAndHolds;

constexpr size_t kRing = 64 << 10;

std::string RandomText(std::minstd_rand& random, size_t bytes) {
  std::string text(bytes, '\0');
  for (char& byte : text) byte = static_cast<char>(random());
  return text;
}

TEST(EndpointTest, AHundredMessagesToAndFro) {
  EndpointPair pair(kRing);
  std::minstd_rand random(1);
  for (int i = 0; i < 100; ++i) {
    const std::string text = RandomText(random, 1024 + random() % 3072);
    EventEngine::Endpoint& writer = i % 2 == 0 ? *pair.client : *pair.server;
    EventEngine::Endpoint& reader = i % 2 == 0 ? *pair.server : *pair.client;
    ASSERT_THAT(WriteAll(writer, text), IsOk());
    ASSERT_THAT(ReadExactly(reader, text.size()), IsOkAndHolds(text));
  }
}

TEST(EndpointTest, AReadWithBytesThereIsDoneAtOnce) {
  EndpointPair pair(kRing);
  ASSERT_THAT(WriteAll(*pair.client, "already there"), IsOk());
  SliceBuffer buffer;
  Outcome outcome;
  EXPECT_TRUE(pair.server->Read(outcome.Callback(), &buffer, {}));
  EXPECT_EQ(ToString(buffer), "already there");
  EXPECT_TRUE(outcome.dropped());
  EXPECT_EQ(outcome.calls(), 0);
}

TEST(EndpointTest, AReadWithoutBytesCallsBack) {
  EndpointPair pair(kRing);
  for (int i = 0; i < 100; ++i) {
    SliceBuffer buffer;
    Outcome outcome;
    ASSERT_FALSE(pair.server->Read(outcome.Callback(), &buffer, {}));
    ASSERT_EQ(outcome.calls(), 0);
    ASSERT_THAT(WriteAll(*pair.client, "comes later"), IsOk());
    ASSERT_THAT(outcome.Wait(), IsOk());
    ASSERT_EQ(ToString(buffer), "comes later");
    ASSERT_EQ(outcome.calls(), 1);
  }
}

TEST(EndpointTest, AWriteThatFitsIsDoneAtOnceAndOneThatDoesNotCallsBack) {
  EndpointPair pair(kRing);
  constexpr size_t kFits = kRing - kRecordHeaderBytes;
  SliceBuffer fits, too_much;
  Append(fits, std::string(kFits, 'a'));
  Append(too_much, "b");
  Outcome at_once, later;
  EXPECT_TRUE(pair.client->Write(at_once.Callback(), &fits, {}));
  EXPECT_TRUE(at_once.dropped());
  EXPECT_FALSE(pair.client->Write(later.Callback(), &too_much, {}));
  EXPECT_EQ(later.calls(), 0);
  // The rest may come as soon as part of the ring is free, with the last of what was there.
  EXPECT_THAT(ReadExactly(*pair.server, kFits + 1), IsOkAndHolds(std::string(kFits, 'a') + "b"));
  EXPECT_THAT(later.Wait(), IsOk());
  EXPECT_EQ(at_once.calls(), 0);
  EXPECT_EQ(later.calls(), 1);
}

TEST(EndpointTest, SlicesOfAnySizeTheEmptyOneIncluded) {
  EndpointPair pair(kRing);
  std::minstd_rand random(2);
  SliceBuffer buffer;
  std::string all;
  for (const size_t bytes : {0, 1, 23, 24, 0, 0, 4095, 4096, 65535, 65536, 65537, 0}) {
    const std::string text = RandomText(random, bytes);
    Append(buffer, text);
    all += text;
  }
  Outcome outcome;
  const bool done = pair.client->Write(outcome.Callback(), &buffer, {});
  EXPECT_THAT(ReadExactly(*pair.server, all.size()), IsOkAndHolds(all));
  EXPECT_THAT(done ? absl::OkStatus() : outcome.Wait(), IsOk());
  SliceBuffer nothing;
  EXPECT_TRUE(pair.client->Write(outcome.Callback(), &nothing, {}));
}

// Many times the ring, read in small pieces by somebody who takes their time.
TEST(EndpointTest, AWriteMuchLargerThanTheRing) {
  EndpointPair pair(4 << 10);
  std::minstd_rand random(3);
  const std::string text = RandomText(random, 8 << 20);
  std::thread writer([&] { EXPECT_THAT(WriteAll(*pair.client, text), IsOk()); });
  std::string received;
  for (int reads = 0; received.size() < text.size(); ++reads) {
    if (reads % 64 == 0) std::this_thread::yield();
    const absl::StatusOr<std::string> more = ReadOnce(*pair.server);
    ASSERT_THAT(more, IsOk());
    ASSERT_LE(more->size(), 4 << 10) << "a read takes at most what the ring holds";
    received += *more;
  }
  writer.join();
  EXPECT_EQ(received, text);
}

TEST(EndpointTest, SlicesOutliveTheirEndpoints) {
  SliceBuffer buffer;
  std::string text;
  {
    EndpointPair pair(kRing);
    std::minstd_rand random(4);
    text = RandomText(random, kRing - kRecordHeaderBytes);
    ASSERT_THAT(WriteAll(*pair.client, text), IsOk());
    Outcome outcome;
    ASSERT_TRUE(pair.server->Read(outcome.Callback(), &buffer, {}));
  }
  EXPECT_EQ(ToString(buffer), text);
}

// More than 4 GiB, so that no 32-bit number hides anywhere on the way. Every first byte of a
// read is checked; the rest is the link's tests' matter.
TEST(EndpointTest, MoreThan4GiB) {
  constexpr uint64_t kTotal = (uint64_t{4} << 30) + (64 << 20);
  constexpr size_t kPiece = 4 << 20;
  EndpointPair pair(512 << 10);
  std::string piece(kPiece, '\0');
  for (size_t i = 0; i < kPiece; ++i) piece[i] = ByteAt(i);
  std::thread writer([&] {
    for (uint64_t sent = 0; sent < kTotal; sent += kPiece) {
      ASSERT_THAT(WriteAll(*pair.client, piece), IsOk());
    }
  });
  uint64_t received = 0;
  while (received < kTotal) {
    const absl::StatusOr<std::string> more = ReadOnce(*pair.server);
    ASSERT_THAT(more, IsOk());
    ASSERT_EQ(more->front(), ByteAt(received % kPiece));
    received += more->size();
  }
  EXPECT_EQ(received, kTotal);
  writer.join();
}

TEST(EndpointDeathTest, ASecondReadOrWriteAborts) {
  GTEST_FLAG_SET(death_test_style, "threadsafe");
  const auto read_twice = [] {
    EndpointPair pair(kRing);
    SliceBuffer buffer;
    pair.server->Read([](const absl::Status&) {}, &buffer, {});
    pair.server->Read([](const absl::Status&) {}, &buffer, {});
  };
  EXPECT_DEATH(read_twice(), "second Read");
  const auto write_twice = [] {
    EndpointPair pair(kRing);
    SliceBuffer buffer;
    Append(buffer, std::string(2 * kRing, 'x'));
    pair.server->Write([](const absl::Status&) {}, &buffer, {});
    pair.server->Write([](const absl::Status&) {}, &buffer, {});
  };
  EXPECT_DEATH(write_twice(), "second Write");
}

}  // namespace
}  // namespace grpc_cxl::internal
