// SPDX-License-Identifier: Apache-2.0
// Proves that no value of the peer's words makes a ring crash, read or write outside its
// memory, or count bytes that are not there: each broken invariant of ring_layout.h is a
// DATA_LOSS with a sentence, and each value that keeps them is accepted. (That our own words, which
// the peer can write as well, are not read back: test/link/link_test.cc and ring_fuzz.)

#include <limits>
#include <string>
#include <string_view>

#include "absl/status/status_matchers.h"
#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "test/ring/ring_pair.h"

namespace grpc_cxl::internal {
namespace {

using namespace std::string_view_literals;  // without the terminating zero

using ::absl_testing::IsOkAndHolds;
using ::absl_testing::StatusIs;
using ::testing::AllOf;
using ::testing::HasSubstr;

constexpr size_t kCapacity = RingImage::kCapacity;
constexpr uint64_t kFarAway = uint64_t{1} << 63;
constexpr uint64_t kLast = std::numeric_limits<uint64_t>::max();

auto IsBroken(uint64_t position, std::string_view range) {
  return StatusIs(
      absl::StatusCode::kDataLoss,
      AllOf(HasSubstr(absl::StrCat("the peer broke the ring: it says it has ")),
            HasSubstr(absl::StrCat("position ", position, ", which is outside ", range))));
}

// The writer is ours and has published 24 bytes, of which it has seen 10 consumed.
struct HostileReaderTest : ::testing::Test {
  HostileReaderTest() {
    EXPECT_THAT(ring.writer.Write("0123456789"sv), IsOkAndHolds(10));
    ring.writer.Publish();
    tail = 10;
    EXPECT_THAT(ring.writer.Free(), IsOkAndHolds(16));
    EXPECT_THAT(ring.writer.Write("0123456789abcd"sv), IsOkAndHolds(14));
    ring.writer.Publish();
  }
  RingPair ring;
  SharedU64& tail = ring.reader_words.tail;
};

TEST_F(HostileReaderTest, ATailStandsBetweenTheLastAndThePublished) {
  for (uint64_t wrong : {uint64_t{0}, uint64_t{9}, uint64_t{25}, 24 + kCapacity, kFarAway, kLast}) {
    tail = wrong;
    EXPECT_THAT(ring.writer.Free(), IsBroken(wrong, "10 to 24"));
    EXPECT_THAT(ring.writer.Write("0123456789"sv), StatusIs(absl::StatusCode::kDataLoss));
  }
  for (uint64_t right = 10; right <= 24; ++right) {
    tail = right;
    EXPECT_THAT(ring.writer.Free(), IsOkAndHolds(kCapacity - (24 - right)));
  }
}

TEST_F(HostileReaderTest, ATailAmongBytesThatAreWrittenButNotPublished) {
  EXPECT_THAT(ring.writer.Write("x"sv), IsOkAndHolds(1));
  tail = 25;
  EXPECT_THAT(ring.writer.Free(), IsBroken(25, "10 to 24"));
  ring.writer.Publish();
  EXPECT_THAT(ring.writer.Free(), IsOkAndHolds(kCapacity));
}

TEST_F(HostileReaderTest, NothingIsAskedWhileThereIsSpaceByTheLastLook) {
  tail = kFarAway;
  EXPECT_THAT(ring.writer.Write("xy"sv), IsOkAndHolds(2));
  EXPECT_THAT(ring.writer.Write("z"sv), StatusIs(absl::StatusCode::kDataLoss));
}

// The reader is ours and has consumed 24 bytes, up to the last that was published.
struct HostileWriterTest : ::testing::Test {
  HostileWriterTest() {
    for (uint64_t bytes : {10, 14}) {
      head.fetch_add(bytes);
      EXPECT_THAT(ring.reader.Readable(), IsOkAndHolds(bytes));
      ring.reader.Consume(bytes);
    }
  }
  RingPair ring;
  SharedU64& head = ring.writer_words.head;
};

TEST_F(HostileWriterTest, AHeadStandsWithinTheCapacity) {
  for (uint64_t wrong :
       {uint64_t{0}, uint64_t{10}, uint64_t{23}, 24 + kCapacity + 1, kFarAway, kLast}) {
    head = wrong;
    EXPECT_THAT(ring.reader.Readable(), IsBroken(wrong, "24 to 40"));
    EXPECT_TRUE(ring.reader.Front().empty());
  }
  for (uint64_t right = 24; right <= 24 + kCapacity; ++right) {
    head = right;
    RingReader fresh = ring.MakeReader();
    ring.Look();
    EXPECT_THAT(fresh.Readable(), IsOkAndHolds(right - 24));
    EXPECT_LE(fresh.Front().size(), right - 24);
  }
}

TEST_F(HostileWriterTest, AHeadThatGoesBackBehindWhatWeCountedChangesNothing) {
  head = 34;
  EXPECT_THAT(ring.reader.Readable(), IsOkAndHolds(10));
  head = 26;
  EXPECT_THAT(ring.reader.Readable(), IsOkAndHolds(10));
  ring.reader.Consume(10);
  EXPECT_THAT(ring.reader.Readable(), StatusIs(absl::StatusCode::kDataLoss));
}

TEST_F(HostileWriterTest, AnyWishForSpaceIsOnlyAWish) {
  for (const auto& [wish, wakes] : {std::pair<uint64_t, bool>{0, false},
                                    {1, true},
                                    {24, true},
                                    {25, false},
                                    {kFarAway, false},
                                    {25 + kFarAway, true},
                                    {kLast, true}}) {
    ring.writer_words.want_space = wish;
    EXPECT_EQ(ring.reader.WriterWantsWake(), wakes) << wish;
  }
}

}  // namespace
}  // namespace grpc_cxl::internal
