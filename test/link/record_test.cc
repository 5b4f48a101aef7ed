// SPDX-License-Identifier: Apache-2.0
// Proves that a stream survives its way through records: bytes in the ring in pieces of any
// size, words that lie across the ring's end, lent bytes between them, all in order; that a
// record is written whole or not at all; and that what cannot be is DATA_LOSS, at once and for
// good, whichever field is wrong, while half a word is only waited for.

#include <algorithm>
#include <cstring>
#include <deque>
#include <random>
#include <string>
#include <utility>
#include <variant>

#include "absl/status/status.h"
#include "absl/status/status_matchers.h"
#include "absl/strings/str_cat.h"
#include "absl/types/span.h"
#include "grpc_cxl/link/record_layout.h"
#include "grpc_cxl/link/record_reader.h"
#include "grpc_cxl/link/record_writer.h"
#include "gtest/gtest.h"
#include "test/link/link_pair.h"
#include "test/link/stream_bytes.h"

namespace grpc_cxl::internal {
namespace {

using ::absl_testing::IsOk;
using ::absl_testing::IsOkAndHolds;
using ::absl_testing::StatusIs;

constexpr size_t kRing = 4 << 10;
constexpr size_t kPayload = 64 << 10;

std::string Words(std::initializer_list<uint32_t> words) {
  return std::string(reinterpret_cast<const char*>(words.begin()), 4 * words.size());
}

// A client that writes and a server that reads.
class RecordTest : public ::testing::Test {
 protected:
  // Whatever stands in the ring.
  void WriteRaw(absl::string_view bytes) {
    ASSERT_THAT(pair_.client->Write(bytes), IsOkAndHolds(bytes.size()));
    pair_.client->Publish();
  }

  // As much of `text` as fits, in a record of its own or as a loan; how much that was.
  size_t WriteRecord(absl::string_view text) {
    const size_t space = *writer_.FreeSpace(text.size());
    EXPECT_LE(space, text.size());
    if (space == 0) return 0;
    writer_.Begin(space);
    writer_.Append(text.substr(0, space / 2));
    writer_.Append(text.substr(space / 2, space - space / 2));
    return space;
  }
  size_t WriteLoan(absl::string_view text) {
    BlockPool& pool = *pair_.client->pool();
    absl::StatusOr<BlockPool::Block> block = pool.Allocate(text.size());
    if (!*block || !*writer_.HasSpaceForLoan()) return 0;
    const absl::Span<char> memory = block->memory().subspan(0, text.size());
    memcpy(memory.data(), text.data(), text.size());
    const auto lent = pool.Lend(memory);
    if (!lent.has_value()) return 0;
    writer_.WriteLoan(*lent);
    return text.size();
  }

  // Reads all there is now; loans are kept.
  absl::Status ReadAll() {
    for (;;) {
      absl::StatusOr<RecordReader::Piece> piece = reader_.Next();
      if (!piece.ok()) return piece.status();
      if (std::holds_alternative<std::monostate>(*piece)) return absl::OkStatus();
      if (const auto* in_ring = std::get_if<absl::Span<const char>>(&*piece)) {
        const size_t bytes = 1 + random_() % in_ring->size();
        received_.append(in_ring->data(), bytes);
        reader_.Consume(bytes);
      } else {
        kept_.push_back(std::move(std::get<BlockBorrower::Loan>(*piece)));
        received_.append(kept_.back().bytes().begin(), kept_.back().bytes().end());
      }
    }
  }

  LinkPair pair_{kRing, kPayload};
  RecordWriter writer_{pair_.client.get()};
  RecordReader reader_{pair_.server.get()};
  std::minstd_rand random_{1};
  std::string received_;
  std::deque<BlockBorrower::Loan> kept_;
};

TEST_F(RecordTest, AStreamOfBothKinds) {
  uint64_t sent = 0;
  int loans = 0, short_of_space = 0;
  for (int step = 0; step < 20'000; ++step) {
    const std::string text = TextAt(sent, 1 + random_() % (random_() % 8 == 0 ? 9000 : 60));
    const bool lend = random_() % 4 == 0;
    const size_t written = lend ? WriteLoan(text) : WriteRecord(text);
    sent += written;
    loans += lend && written > 0;
    short_of_space += !lend && written < text.size();
    pair_.client->Publish();
    if (random_() % 4 != 0) continue;
    ASSERT_THAT(ReadAll(), IsOk());
    while (kept_.size() > random_() % 8) kept_.pop_front();
  }
  ASSERT_THAT(ReadAll(), IsOk());
  EXPECT_TRUE(received_ == TextAt(0, sent));
  EXPECT_GT(loans, 1000);
  EXPECT_GT(short_of_space, 10);
  kept_.clear();
  ASSERT_THAT(pair_.client->pool()->TakeBack(), IsOk());
  EXPECT_EQ(pair_.client_words().blocks.pages_in_use.load(), 0u);
}

TEST_F(RecordTest, AWordThatComesByteByByte) {
  absl::StatusOr<BlockPool::Block> block = pair_.client->pool()->Allocate(1);
  ASSERT_THAT(block, IsOk());
  memcpy(block->memory().data() + 7, "xy", 2);
  ASSERT_TRUE(pair_.client->pool()->Lend(block->memory().subspan(7, 2)).has_value());
  for (const char byte : Words({3}) + "abc" + Words({kLentBit | 2, 7}) + Words({1}) + "d") {
    WriteRaw(std::string(1, byte));
    ASSERT_THAT(ReadAll(), IsOk());
    EXPECT_FALSE(pair_.server->MaybeReadable()) << "a polling thread would not rest";
  }
  EXPECT_EQ(received_, "abcxyd");
}

TEST_F(RecordTest, WholeOrNotAtAll) {
  WriteRaw(std::string(kRing - 8, 'x'));
  for (const size_t free : {8, 7, 5, 4, 3, 0}) {
    WriteRaw(std::string(*pair_.client->FreeSpace(kRing) - free, 'x'));
    EXPECT_THAT(writer_.FreeSpace(100), IsOkAndHolds(free > 4 ? free - 4 : 0)) << free;
    EXPECT_THAT(writer_.HasSpaceForLoan(), IsOkAndHolds(free >= 8)) << free;
  }
}

class WrongRecordTest : public RecordTest, public ::testing::WithParamInterface<std::string> {};

TEST_P(WrongRecordTest, IsDataLossForGood) {
  WriteRaw(absl::StrCat(Words({4}), "good", GetParam(), Words({3}), "bad"));
  EXPECT_THAT(ReadAll(), StatusIs(absl::StatusCode::kDataLoss));
  EXPECT_EQ(received_, "good");
  EXPECT_THAT(reader_.Next(), StatusIs(absl::StatusCode::kDataLoss));
}

INSTANTIATE_TEST_SUITE_P(
    Records, WrongRecordTest,
    ::testing::Values(Words({0}), Words({kLentBit, 0}), Words({kLentBit | 1, kPayload}),
                      Words({kLentBit | (kPayload + 1), 0}), Words({kLentBit | 2, kPayload - 1}),
                      Words({kLentBit | 1, 0xffffffff}), Words({0xffffffff, 0}),
                      Words({0xffffffff, 0xffffffff})));

}  // namespace
}  // namespace grpc_cxl::internal
