// Proves that no value of the peer's words makes a ring crash, read or write outside its
// memory, or count bytes that are not there: each broken invariant of ring_layout.h is a
// DATA_LOSS with a sentence, and each value that keeps them is accepted.

#include <limits>
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
using ::absl_testing::StatusIs;
using ::testing::AllOf;
using ::testing::HasSubstr;

constexpr size_t kCapacity = 16;
constexpr uint64_t kFarAway = uint64_t{1} << 63;
constexpr uint64_t kLast = std::numeric_limits<uint64_t>::max();

// The writer is ours and has published 24 bytes, of which it has seen 10 consumed.
class HostileReaderTest : public ::testing::Test {
 protected:
  HostileReaderTest() {
    EXPECT_THAT(writer_.Write("0123456789"sv), IsOkAndHolds(10));
    writer_.Publish();
    theirs_.tail = 10;
    EXPECT_THAT(writer_.Free(), IsOkAndHolds(16));
    EXPECT_THAT(writer_.Write("0123456789abcd"sv), IsOkAndHolds(14));
    writer_.Publish();
  }

  struct Image {
    RingWriterWords mine;
    RingReaderWords theirs;
    alignas(kWriterAlignment) char data[kCapacity] = {};
  };
  Image image_;
  RingWriterWords& mine_ = image_.mine;
  RingReaderWords& theirs_ = image_.theirs;
  TestView side_{&image_};
  RingWriter writer_{side_.At(&mine_), side_.At(&theirs_), side_.At(absl::MakeSpan(image_.data)),
                     side_.view()};
};

TEST_F(HostileReaderTest, EveryTailBetweenTheLastAndThePublishedIsFine) {
  for (uint64_t tail = 10; tail <= 24; ++tail) {
    theirs_.tail = tail;
    EXPECT_THAT(writer_.Free(), IsOkAndHolds(kCapacity - (24 - tail)));
  }
}

TEST_F(HostileReaderTest, ATailBeyondWhatWasPublished) {
  for (uint64_t tail : {uint64_t{25}, 24 + kCapacity, kFarAway, kLast}) {
    theirs_.tail = tail;
    EXPECT_THAT(writer_.Free(),
                StatusIs(absl::StatusCode::kDataLoss,
                         AllOf(HasSubstr("the peer broke the ring"), HasSubstr("outside 10 to 24"),
                               HasSubstr(std::to_string(tail)))));
    EXPECT_THAT(writer_.Write("0123456789"sv), StatusIs(absl::StatusCode::kDataLoss));
  }
}

TEST_F(HostileReaderTest, ATailAmongBytesThatAreWrittenButNotPublished) {
  EXPECT_THAT(writer_.Write("x"sv), IsOkAndHolds(1));
  theirs_.tail = 25;
  EXPECT_THAT(writer_.Free(), StatusIs(absl::StatusCode::kDataLoss));
  writer_.Publish();
  EXPECT_THAT(writer_.Free(), IsOkAndHolds(kCapacity));
}

TEST_F(HostileReaderTest, ATailThatGoesBack) {
  for (uint64_t tail : {9, 0}) {
    theirs_.tail = tail;
    EXPECT_THAT(writer_.Free(), StatusIs(absl::StatusCode::kDataLoss));
    EXPECT_THAT(writer_.Write("0123456789"sv), StatusIs(absl::StatusCode::kDataLoss));
  }
}

TEST_F(HostileReaderTest, NothingIsAskedWhileThereIsRoomByTheLastLook) {
  theirs_.tail = kFarAway;
  EXPECT_THAT(writer_.Write("xy"sv), IsOkAndHolds(2));
  EXPECT_THAT(writer_.Write("z"sv), StatusIs(absl::StatusCode::kDataLoss));
}

// The reader is ours and has consumed 24 bytes, up to the last that was published.
class HostileWriterTest : public ::testing::Test {
 protected:
  HostileWriterTest() {
    for (uint64_t head : {10, 24}) {
      theirs_.head = head;
      EXPECT_THAT(reader_.Readable(), IsOkAndHolds(head == 10 ? 10 : 14));
      reader_.Consume(head == 10 ? 10 : 14);
    }
  }

  RingReader MakeReader() {
    return RingReader(side_.At(&mine_), side_.At(&theirs_),
                      side_.At(absl::MakeConstSpan(image_.data)), side_.view());
  }

  struct Image {
    RingReaderWords mine;
    RingWriterWords theirs;
    alignas(kWriterAlignment) char data[kCapacity] = {};
  };
  Image image_;
  RingReaderWords& mine_ = image_.mine;
  RingWriterWords& theirs_ = image_.theirs;
  TestView side_{&image_};
  RingReader reader_ = MakeReader();
};

TEST_F(HostileWriterTest, EveryHeadWithinTheCapacityIsFine) {
  for (uint64_t head = 24; head <= 24 + kCapacity; ++head) {
    theirs_.head = head;
    RingReader fresh = MakeReader();
    EXPECT_THAT(fresh.Readable(), IsOkAndHolds(head - 24));
    EXPECT_LE(fresh.Front().size(), head - 24);
  }
}

TEST_F(HostileWriterTest, AHeadFurtherThanTheCapacity) {
  for (uint64_t head : {24 + kCapacity + 1, kFarAway, kLast}) {
    theirs_.head = head;
    EXPECT_THAT(reader_.Readable(),
                StatusIs(absl::StatusCode::kDataLoss,
                         AllOf(HasSubstr("the peer broke the ring"), HasSubstr("outside 24 to 40"),
                               HasSubstr(std::to_string(head)))));
    EXPECT_TRUE(reader_.Front().empty());
  }
}

TEST_F(HostileWriterTest, AHeadThatGoesBack) {
  for (uint64_t head : {23, 10, 0}) {
    theirs_.head = head;
    EXPECT_THAT(reader_.Readable(), StatusIs(absl::StatusCode::kDataLoss));
    EXPECT_TRUE(reader_.Front().empty());
  }
}

TEST_F(HostileWriterTest, AHeadThatGoesBackBehindWhatWeCountedChangesNothing) {
  theirs_.head = 34;
  EXPECT_THAT(reader_.Readable(), IsOkAndHolds(10));
  theirs_.head = 26;
  EXPECT_THAT(reader_.Readable(), IsOkAndHolds(10));
  reader_.Consume(10);
  EXPECT_THAT(reader_.Readable(), StatusIs(absl::StatusCode::kDataLoss));
}

TEST_F(HostileWriterTest, AnyWishForSpaceIsOnlyAWish) {
  for (uint64_t wish :
       {uint64_t{0}, uint64_t{1}, uint64_t{24}, uint64_t{25}, kFarAway, 24 + kFarAway, kLast}) {
    theirs_.want_space = wish;
    const bool rings = reader_.WriterWantsWake();
    if (wish == 0 || wish == 25) {
      EXPECT_FALSE(rings);
    }
    if (wish == 1 || wish == 24) {
      EXPECT_TRUE(rings);
    }
  }
}

// Our own words lie in memory that the peer maps: it can write there, but we never read
// them back.
TEST_F(HostileWriterTest, OurOwnWordsAreNotReadBack) {
  mine_.tail = kFarAway;
  theirs_.head = 30;
  EXPECT_THAT(reader_.Readable(), IsOkAndHolds(6));
  reader_.Consume(6);
  EXPECT_EQ(mine_.tail.load(), 30);
}

TEST_F(HostileReaderTest, OurOwnWordsAreNotReadBack) {
  mine_.head = kFarAway;
  theirs_.tail = 24;
  EXPECT_THAT(writer_.Free(), IsOkAndHolds(kCapacity));
  EXPECT_THAT(writer_.Write("x"sv), IsOkAndHolds(1));
  writer_.Publish();
  EXPECT_EQ(mine_.head.load(), 25);
}

}  // namespace
}  // namespace grpc_cxl::internal
