// Proves the contract of RingWriter and RingReader sentence by sentence, with both ends in
// one thread, so that every step is decided here.

#include <string>
#include <string_view>

#include "absl/status/status_matchers.h"
#include "gmock/gmock.h"
#include "grpc_cxl/ring/ring_reader.h"
#include "grpc_cxl/ring/ring_writer.h"
#include "gtest/gtest.h"
#include "test/coherence/test_view.h"

namespace grpc_cxl::internal {
namespace {

using namespace std::string_view_literals;  // without the terminating zero

using ::absl_testing::IsOkAndHolds;

constexpr size_t kCapacity = 16;

// What both ends share.
struct Image {
  RingWriterWords writer_words;
  RingReaderWords reader_words;
  alignas(kWriterAlignment) char data[kCapacity] = {};
  char unused[kWriterAlignment - kCapacity] = {};  // else Ring's members would come here
};

// A ring that has come as far as `position`.
struct Ring : Image {
  explicit Ring(uint64_t position = 0)
      : Image{.writer_words = {.head = position, .want_space = 0},
              .reader_words = {.tail = position}} {}

  RingWriter MakeWriter() {
    return RingWriter(writing.At(&writer_words), writing.At(&reader_words),
                      writing.At(absl::MakeSpan(data)), writing.view());
  }
  RingReader MakeReader() {
    return RingReader(reading.At(&reader_words), reading.At(&writer_words),
                      reading.At(absl::MakeConstSpan(data)), reading.view());
  }

  TestView writing{static_cast<Image*>(this)};
  TestView reading{static_cast<Image*>(this)};
  RingWriter writer = MakeWriter();
  RingReader reader = MakeReader();

  void Send(std::string_view text) {
    ASSERT_THAT(writer.Write(text), IsOkAndHolds(text.size()));
    EXPECT_EQ(writer.Publish(), text.size());
  }

  // Reads and gives back all there is.
  std::string Receive() {
    std::string all;
    while (*reader.Readable() > 0) {
      const absl::Span<const char> piece = reader.Front();
      all.append(piece.data(), piece.size());
      reader.Consume(piece.size());
    }
    return all;
  }
};

// Positions at which 32-bit or 64-bit arithmetic could go wrong.
class RingTest : public ::testing::TestWithParam<uint64_t> {
 protected:
  Ring ring_{GetParam()};
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
  EXPECT_EQ(ring_.Receive(), "abc");
  EXPECT_EQ(ring_.writer.Publish(), 0);
  EXPECT_THAT(ring_.reader.Readable(), IsOkAndHolds(0));
}

TEST_P(RingTest, BytesComeOutInTheOrderTheyWentIn) {
  // Sizes that share no divisor with the capacity meet every index.
  for (int i = 0; i < 100; ++i) {
    const std::string text(7, static_cast<char>('a' + i % 26));
    ring_.Send(text);
    ASSERT_EQ(ring_.Receive(), text) << "message " << i;
  }
  EXPECT_EQ(ring_.writer.position(), GetParam() + 700);
  EXPECT_EQ(ring_.reader.position(), GetParam() + 700);
}

TEST_P(RingTest, AWriteTakesWhatFits) {
  EXPECT_THAT(ring_.writer.Write("0123456789"sv), IsOkAndHolds(10));
  EXPECT_THAT(ring_.writer.Free(), IsOkAndHolds(6));
  EXPECT_THAT(ring_.writer.Write("abcdefghij"sv), IsOkAndHolds(6));
  EXPECT_THAT(ring_.writer.Write("x"sv), IsOkAndHolds(0));
  EXPECT_THAT(ring_.writer.Write(""sv), IsOkAndHolds(0));
  ring_.writer.Publish();
  EXPECT_EQ(ring_.Receive(), "0123456789abcdef");
  EXPECT_THAT(ring_.writer.Free(), IsOkAndHolds(kCapacity));
}

TEST_P(RingTest, ConsumedBytesAreFreeAtOnce) {
  ring_.Send("0123456789abcdef"sv);
  ASSERT_THAT(ring_.reader.Readable(), IsOkAndHolds(16));
  for (int i = 0; i < 16; ++i) {
    ring_.reader.Consume(1);
    EXPECT_THAT(ring_.writer.Free(), IsOkAndHolds(1));
    EXPECT_THAT(ring_.writer.Write("x"sv), IsOkAndHolds(1));
    EXPECT_THAT(ring_.writer.Write("y"sv), IsOkAndHolds(0));
  }
}

TEST_P(RingTest, AtMostTwoPiecesMakeUpAllThatIsReadable) {
  for (size_t skip = 0; skip < kCapacity; ++skip) {
    ring_.Send("x"sv);
    ring_.Receive();
    ring_.Send("0123456789abcdef"sv);
    ASSERT_THAT(ring_.reader.Readable(), IsOkAndHolds(16));
    std::string all;
    for (int piece = 0; piece < 2; ++piece) {
      const absl::Span<const char> front = ring_.reader.Front();
      all.append(front.data(), front.size());
      ring_.reader.Consume(front.size());
    }
    EXPECT_EQ(all, "0123456789abcdef");
  }
}

TEST_P(RingTest, TheReaderIsAskedToRingExactlyWhenTheSpaceIsThere) {
  for (size_t wanted = 1; wanted <= kCapacity; ++wanted) {
    ring_.Send("0123456789abcdef"sv);
    ring_.writer.WantSpace(wanted);
    ASSERT_THAT(ring_.reader.Readable(), IsOkAndHolds(16));
    EXPECT_FALSE(ring_.reader.WriterWantsWake());
    for (size_t consumed = 1; consumed <= kCapacity; ++consumed) {
      ring_.reader.Consume(1);
      // Position zero cannot be named as a wish; the one before it may ring in vain.
      if (ring_.reader.position() + 1 == 0) continue;
      ASSERT_EQ(ring_.reader.WriterWantsWake(), consumed >= wanted)
          << consumed << " consumed, " << wanted << " wanted";
    }
    ring_.writer.ClearWantSpace();
    EXPECT_FALSE(ring_.reader.WriterWantsWake());
  }
}

TEST_P(RingTest, AWishThatIsFulfilledAlreadyRingsAtOnce) {
  ring_.writer.WantSpace(kCapacity);
  // At position zero this wish is "-16 + 16 = 0 bytes read", which is the one exception.
  EXPECT_TRUE(ring_.reader.WriterWantsWake());
}

TEST_P(RingTest, ASecondEndGoesOnWhereTheFirstStopped) {
  ring_.Send("abc"sv);
  ASSERT_THAT(ring_.reader.Readable(), IsOkAndHolds(3));
  ring_.reader.Consume(1);
  RingWriter writer = ring_.MakeWriter();
  RingReader reader = ring_.MakeReader();
  EXPECT_THAT(writer.Write("d"sv), IsOkAndHolds(1));
  writer.Publish();
  EXPECT_THAT(reader.Readable(), IsOkAndHolds(3));
  EXPECT_THAT(writer.Free(), IsOkAndHolds(13));
}

TEST(RingDeathTest, OurOwnMistakesEndTheProcess) {
  GTEST_FLAG_SET(death_test_style, "threadsafe");
  Ring ring;
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
