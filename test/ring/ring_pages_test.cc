// SPDX-License-Identifier: Apache-2.0
// Proves that a ring takes memory as it comes to it and before it stores anything there, and gives
// it back when it is empty.

#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <optional>
#include <string>
#include <vector>

#include "absl/status/status_matchers.h"
#include "grpc_cxl/arena/arena.h"
#include "grpc_cxl/ring/ring_reader.h"
#include "grpc_cxl/ring/ring_writer.h"
#include "gtest/gtest.h"

namespace grpc_cxl::internal {
namespace {

using ::absl_testing::IsOkAndHolds;

constexpr size_t kCapacity = 64 << 10;
constexpr size_t kPage = 4096;

class RingPagesTest : public ::testing::TestWithParam<uint64_t> {
 protected:
  void SetUp() override {
    absl::StatusOr<Arena> arena = Arena::Create(kCapacity, {}, Reservation::kOnUse);
    ASSERT_TRUE(arena.ok()) << arena.status();
    arena_.emplace(*std::move(arena));
    if (!arena_->pages().on_use() || sysconf(_SC_PAGESIZE) != kPage) {
      GTEST_SKIP() << "the kernel is older than 5.14, or has larger pages";
    }
    const absl::Span<char> data(arena_->data(), kCapacity);
    writer_.emplace(&writer_words_, &reader_words_, data, SharedView(),
                    ArenaPages(Reservation::kOnUse, /*trust_peer=*/true));
    reader_.emplace(&reader_words_, &writer_words_, data);
  }

  size_t ReservedPages() const {
    struct stat file;
    EXPECT_EQ(fstat(arena_->fd(), &file), 0);
    return file.st_blocks * 512 / kPage;
  }
  // Whether every page of the next `bytes` to write is there.
  bool Reserved(size_t bytes) const {
    std::vector<unsigned char> there(kCapacity / kPage);
    EXPECT_EQ(mincore(arena_->data(), kCapacity, there.data()), 0);
    for (uint64_t at = writer_words_.head & -kPage; at < writer_words_.head + bytes; at += kPage) {
      if ((there[at % kCapacity / kPage] & 1) == 0) return false;
    }
    return true;
  }
  // Passes `bytes` through the ring, all at once.
  void Pass(size_t bytes) {
    std::string sent(bytes, '\0');
    for (char& c : sent) c = static_cast<char>(next_++ * 31);
    ASSERT_THAT(writer_->Write(sent), IsOkAndHolds(bytes));
    writer_->Publish();
    std::string got;
    while (*reader_->Readable() > 0) {
      const absl::Span<const char> front = reader_->Front();
      got.append(front.data(), front.size());
      reader_->Consume(front.size());
    }
    EXPECT_EQ(got, sent);
  }

  RingWriterWords writer_words_{.head = GetParam(), .want_space = 0};
  RingReaderWords reader_words_{.tail = GetParam()};
  std::optional<Arena> arena_;
  std::optional<RingWriter> writer_;
  std::optional<RingReader> reader_;
  uint32_t next_ = 0;
};

INSTANTIATE_TEST_SUITE_P(From, RingPagesTest, ::testing::Values(0, 5000, uint64_t{0} - 9000));

TEST_P(RingPagesTest, GrowWithUseAndGoAtRest) {
  EXPECT_EQ(ReservedPages(), 0);
  Pass(1);
  EXPECT_EQ(ReservedPages(), 1);
  for (int round = 0; round < 3; ++round) {
    for (size_t passed = 1; passed < 3 * kPage; passed += 1000) Pass(1000);
    EXPECT_GE(ReservedPages(), 3);
    EXPECT_LE(ReservedPages(), 8) << "at most twice what was used";
    for (size_t passed = 0; passed < 3 * kCapacity; passed += kCapacity / 2) Pass(kCapacity / 2);
    EXPECT_EQ(ReservedPages(), kCapacity / kPage);
    Pass(kCapacity);

    EXPECT_TRUE(writer_->MayRest());
    writer_->Rest();
    EXPECT_EQ(ReservedPages(), writer_words_.head % kPage != 0) << "that of the position";
    EXPECT_FALSE(writer_->MayRest());
  }
}

TEST_P(RingPagesTest, SpaceHasItsPagesBeforeItIsUsed) {
  for (const size_t bytes :
       {1, 1000, 9000, 20'000, 1, 30'000, 9000, 40'000, 65'536, 9000, 50'000}) {
    const size_t space = *writer_->FreeSpace(bytes);
    EXPECT_GE(space, bytes);
    EXPECT_TRUE(Reserved(space)) << bytes;
    Pass(bytes);
    EXPECT_EQ(writer_->MayRest(), ReservedPages() > 1) << bytes;
    writer_->Rest();
  }
}

TEST_P(RingPagesTest, NothingUnreadIsLost) {
  ASSERT_THAT(writer_->Write(std::string(3 * kPage, 'x')), IsOkAndHolds(3 * kPage));
  writer_->Rest();
  writer_->Publish();
  writer_->Rest();
  size_t seen = 0;
  while (*reader_->Readable() > 0) {
    for (const char c : reader_->Front()) seen += c == 'x';
    reader_->Consume(reader_->Front().size());
  }
  EXPECT_EQ(seen, 3 * kPage);
}

}  // namespace
}  // namespace grpc_cxl::internal
