// SPDX-License-Identifier: Apache-2.0
// Proves the contract of RingWriter and RingReader, with both ends in one thread, from positions
// at which 32-bit or 64-bit arithmetic could go wrong. (How much a write takes: ring_fuzz's model.)

#include <string>
#include <string_view>

#include "absl/status/status_matchers.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "test/ring/ring_pair.h"

namespace grpc_cxl::internal {
namespace {

using namespace std::string_view_literals;  // without the terminating zero

using ::absl_testing::IsOkAndHolds;

constexpr size_t kCapacity = RingImage::kCapacity;
constexpr auto kFull = "0123456789abcdef"sv;

class RingTest : public ::testing::TestWithParam<uint64_t> {
 protected:
  void Send(std::string_view text) {
    ASSERT_THAT(ring_.writer.Write(text), IsOkAndHolds(text.size()));
    EXPECT_EQ(ring_.writer.Publish(), text.size());
  }
  // Reads and gives back all there is, which is at most two pieces.
  std::string Receive() {
    std::string all;
    for (int pieces = 0; *ring_.reader.Readable() > 0; ++pieces) {
      EXPECT_LT(pieces, 2);
      const absl::Span<const char> front = ring_.reader.Front();
      all.append(front.data(), front.size());
      ring_.reader.Consume(front.size());
    }
    return all;
  }

  RingPair ring_{GetParam()};
};

INSTANTIATE_TEST_SUITE_P(From, RingTest,
                         ::testing::Values(0, 3, (uint64_t{1} << 32) - 5, uint64_t{1} << 32,
                                           (uint64_t{1} << 63) - 5, uint64_t{0} - 5));

TEST_P(RingTest, StartsEmptyAtThePositionThatTheWordsHold) {
  EXPECT_EQ(ring_.writer.position(), GetParam());
  EXPECT_EQ(ring_.reader.position(), GetParam());
  EXPECT_THAT(ring_.writer.Free(), IsOkAndHolds(kCapacity));
  EXPECT_THAT(ring_.reader.Readable(), IsOkAndHolds(0));
  EXPECT_TRUE(ring_.reader.Front().empty());
}

TEST_P(RingTest, NothingIsVisibleBeforePublish) {
  EXPECT_THAT(ring_.writer.Write("ab"sv), IsOkAndHolds(2));
  EXPECT_THAT(ring_.writer.Write("c"sv), IsOkAndHolds(1));
  EXPECT_THAT(ring_.reader.Readable(), IsOkAndHolds(0));
  EXPECT_EQ(ring_.writer.Publish(), 3);
  EXPECT_EQ(Receive(), "abc");
  EXPECT_EQ(ring_.writer.Publish(), 0);
  EXPECT_THAT(ring_.reader.Readable(), IsOkAndHolds(0));
}

TEST_P(RingTest, BytesComeOutInTheOrderTheyWentIn) {
  // A full ring at every index; sizes that share no divisor with the capacity.
  for (size_t i = 0; i < 2 * kCapacity; ++i) {
    Send(kFull);
    ASSERT_EQ(Receive(), kFull);
    const std::string text(7, static_cast<char>('a' + i % 26));
    Send(text);
    ASSERT_EQ(Receive(), text);
  }
  EXPECT_EQ(ring_.writer.position(), GetParam() + 2 * kCapacity * (kCapacity + 7));
  EXPECT_EQ(ring_.reader.position(), ring_.writer.position());
}

TEST_P(RingTest, AWriterWantsAWakeExactlyWhenTheSpaceIsThere) {
  for (size_t wanted = 1; wanted <= kCapacity; ++wanted) {
    Send(kFull);
    ring_.writer.WantSpace(wanted);
    ASSERT_THAT(ring_.reader.Readable(), IsOkAndHolds(kCapacity));
    EXPECT_FALSE(ring_.reader.WriterWantsWake());
    for (size_t consumed = 1; consumed <= kCapacity; ++consumed) {
      ring_.reader.Consume(1);
      // Position zero cannot be named as a wish; the one before it may wake in vain.
      if (ring_.reader.position() + 1 == 0) continue;
      ASSERT_EQ(ring_.reader.WriterWantsWake(), consumed >= wanted)
          << consumed << " consumed, " << wanted << " wanted";
    }
    ring_.writer.ClearWantSpace();
    EXPECT_FALSE(ring_.reader.WriterWantsWake());
  }
  ring_.writer.WantSpace(kCapacity);
  EXPECT_TRUE(ring_.reader.WriterWantsWake()) << "there already; also as position zero";
}

TEST_P(RingTest, ASecondEndGoesOnWhereTheFirstStopped) {
  Send("abc"sv);
  ASSERT_THAT(ring_.reader.Readable(), IsOkAndHolds(3));
  ring_.reader.Consume(1);
  RingWriter writer = ring_.MakeWriter();
  RingReader reader = ring_.MakeReader();
  EXPECT_THAT(writer.Write("d"sv), IsOkAndHolds(1));
  writer.Publish();
  ring_.Look();
  EXPECT_THAT(reader.Readable(), IsOkAndHolds(3));
  EXPECT_THAT(writer.Free(), IsOkAndHolds(13));
  reader.Consume(2);
  EXPECT_THAT(writer.Free(), IsOkAndHolds(15));
}

TEST(RingDeathTest, OurOwnMistakesEndTheProcess) {
  GTEST_FLAG_SET(death_test_style, "threadsafe");
  RingPair ring;
  char odd[12];
  EXPECT_DEATH(RingWriter(&ring.writer_words, &ring.reader_words, absl::MakeSpan(odd)),
               "must be a power of two, not 12");
  EXPECT_DEATH(RingReader(&ring.reader_words, &ring.writer_words, absl::MakeSpan(odd)),
               "must be a power of two, not 12");
  EXPECT_DEATH(RingReader(&ring.reader_words, &ring.writer_words, {}),
               "must be a power of two, not 0");
  EXPECT_DEATH(ring.writer.WantSpace(0), "cannot have 0 bytes free");
  EXPECT_DEATH(ring.writer.WantSpace(17), "cannot have 17 bytes free");
  EXPECT_DEATH(ring.reader.Consume(1), "more consumed than was readable");
}

}  // namespace
}  // namespace grpc_cxl::internal
