// SPDX-License-Identifier: Apache-2.0
// Proves gRPC's contract for an endpoint's reads and writes, as the conformance suite for
// event engines states it: bytes in order both ways; done at once means "true", bytes in the
// buffer and no callback; not done means "false" and one callback, never from inside the
// call. (Writes larger than the ring: endpoint_stress_test.)

#include <memory>
#include <random>
#include <string>

#include "absl/status/status_matchers.h"
#include "grpc_cxl/link/record_layout.h"
#include "gtest/gtest.h"
#include "test/coherence/test_view.h"
#include "test/endpoint/endpoint_pair.h"
#include "test/link/stream_bytes.h"

namespace grpc_cxl::internal {
namespace {

using ::absl_testing::IsOk;
using ::absl_testing::IsOkAndHolds;

constexpr size_t kRing = 64 << 10;

// Also past 4 GiB, so that no 32-bit number hides anywhere on the way.
TEST(EndpointTest, HundredsOfMessagesToAndFro) {
  for (const uint64_t start : {uint64_t{0}, (uint64_t{1} << 32) - 2 * kRing}) {
    LinkPair link(kRing);
    link.MoveTo(start);
    const auto client = MakeEndpoint(std::move(link.client));
    const auto server = MakeEndpoint(std::move(link.server));
    std::minstd_rand random(1);
    for (int i = 0; i < 300; ++i) {
      const std::string text = TextAt(i, 1024 + random() % 3072);
      ASSERT_THAT(WriteAll(i % 2 == 0 ? *client : *server, text), IsOk());
      ASSERT_THAT(ReadExactly(i % 2 == 0 ? *server : *client, text.size()), IsOkAndHolds(text));
    }
    EXPECT_GT(link.client_look().head->load(), start + 4 * kRing);
  }
}

TEST(EndpointTest, AReadWithBytesThereIsDoneAtOnce) {
  EndpointPair pair(kRing);
  ASSERT_THAT(WriteAll(*pair.client, "already there"), IsOk());
  SliceBuffer buffer;
  Outcome outcome;
  const bool at_once = pair.server->Read(outcome.Callback(), &buffer, {});
  // Without coherence the polling thread alone looks, and may not have done so yet.
  EXPECT_TRUE(at_once || TestMemoryModel().coherence == Coherence::kFlush);
  if (!at_once) {
    ASSERT_THAT(outcome.Wait(), IsOk());
  }
  EXPECT_EQ(ToString(buffer), "already there");
  EXPECT_TRUE(!at_once || outcome.dropped());
  EXPECT_EQ(outcome.calls(), at_once ? 0 : 1);
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
  SliceBuffer buffer, nothing;
  std::string all;
  for (const size_t bytes : {0, 1, 23, 24, 0, 0, 4095, 4096, 65535, 65536, 65537, 0}) {
    const std::string text = TextAt(all.size(), bytes);
    Append(buffer, text);
    all += text;
  }
  Outcome outcome;
  const bool done = pair.client->Write(outcome.Callback(), &buffer, {});
  EXPECT_THAT(ReadExactly(*pair.server, all.size()), IsOkAndHolds(all));
  EXPECT_THAT(done ? absl::OkStatus() : outcome.Wait(), IsOk());
  EXPECT_TRUE(pair.client->Write(outcome.Callback(), &nothing, {}));
}

TEST(EndpointDeathTest, ASecondReadOrWriteAborts) {
  GTEST_FLAG_SET(death_test_style, "threadsafe");
  const auto twice = [](bool read) {
    EndpointPair pair(kRing);
    SliceBuffer buffer;
    Append(buffer, std::string(2 * kRing, 'x'));
    for (int i = 0; i < 2; ++i) {
      const auto done = [](const absl::Status&) {};
      read ? pair.server->Read(done, &buffer, {}) : pair.server->Write(done, &buffer, {});
    }
  };
  EXPECT_DEATH(twice(true), "second Read");
  EXPECT_DEATH(twice(false), "second Write");
}

}  // namespace
}  // namespace grpc_cxl::internal
