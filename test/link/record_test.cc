// Proves that a stream survives its way through records: bytes in the ring in pieces of any
// size, words that lie across the ring's end, lent bytes between them, all in order; that a
// record is written whole or not at all; and that what cannot be is DATA_LOSS, at once and for
// good, whichever field is wrong, while half a word is only waited for.

#include <algorithm>
#include <cstring>
#include <deque>
#include <optional>
#include <random>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/status_matchers.h"
#include "absl/strings/str_cat.h"
#include "absl/types/span.h"
#include "grpc_cxl/link/record_layout.h"
#include "grpc_cxl/link/record_reader.h"
#include "grpc_cxl/link/record_writer.h"
#include "gtest/gtest.h"
#include "test/link/link_pair.h"
#include "test/link/random_link_end.h"

namespace grpc_cxl::internal {
namespace {

using ::absl_testing::IsOk;
using ::absl_testing::IsOkAndHolds;
using ::absl_testing::StatusIs;

constexpr size_t kRing = 4 << 10;
constexpr size_t kPayload = 64 << 10;

// A client that writes and a server that reads.
struct Pipe {
  Pipe() : pair(kRing, kPayload), writer(pair.client.get()), reader(pair.server.get()) {}

  // Whatever stands in the ring.
  void WriteRaw(absl::string_view bytes) {
    ASSERT_THAT(pair.client->Write(bytes), IsOkAndHolds(bytes.size()));
    pair.client->Publish();
  }

  LinkPair pair;
  RecordWriter writer;
  RecordReader reader;
};

std::string Words(std::initializer_list<uint32_t> words) {
  std::string bytes;
  for (const uint32_t word : words) {
    bytes.append(reinterpret_cast<const char*>(&word), sizeof(word));
  }
  return bytes;
}

// Reads all there is now and appends it; the bytes of loans that are kept go there too.
absl::Status ReadAll(RecordReader& reader, std::minstd_rand& random, std::string* text,
                     std::deque<BlockBorrower::Loan>* kept) {
  for (;;) {
    absl::StatusOr<RecordReader::Piece> piece = reader.Next();
    if (!piece.ok()) return piece.status();
    if (std::holds_alternative<std::monostate>(*piece)) return absl::OkStatus();
    if (const auto* in_ring = std::get_if<absl::Span<const char>>(&*piece)) {
      const size_t bytes = 1 + random() % in_ring->size();
      text->append(in_ring->begin(), in_ring->begin() + bytes);
      reader.Consume(bytes);
    } else {
      kept->push_back(std::move(std::get<BlockBorrower::Loan>(*piece)));
      text->append(kept->back().bytes().begin(), kept->back().bytes().end());
    }
  }
}

TEST(RecordTest, AStreamOfBothKinds) {
  Pipe pipe;
  std::minstd_rand random(1);
  std::string received;
  std::deque<BlockBorrower::Loan> kept;
  uint64_t sent = 0;
  int loans = 0, no_room = 0;
  for (int step = 0; step < 20'000; ++step) {
    std::string text(1 + random() % (random() % 8 == 0 ? 9000 : 60), '\0');
    for (size_t i = 0; i < text.size(); ++i) text[i] = ByteAt(sent + i);
    if (random() % 4 == 0) {
      absl::StatusOr<BlockPool::Block> block = pipe.pair.client->pool()->Allocate(text.size());
      ASSERT_THAT(block, IsOk());
      const absl::StatusOr<bool> fits = pipe.writer.HasSpaceForLoan();
      ASSERT_THAT(fits, IsOk());
      if (*block && *fits) {
        const absl::Span<char> memory = block->memory().subspan(0, text.size());
        memcpy(memory.data(), text.data(), text.size());
        if (const auto lent = pipe.pair.client->pool()->Lend(memory); lent.has_value()) {
          pipe.writer.WriteLoan(*lent);
          sent += text.size();
          ++loans;
        }
      }
    } else {
      const absl::StatusOr<size_t> room = pipe.writer.FreeSpace(text.size());
      ASSERT_THAT(room, IsOk());
      ASSERT_LE(*room, text.size());
      if (*room < text.size()) ++no_room;
      if (*room > 0) {
        pipe.writer.Begin(*room);
        pipe.writer.Append(absl::MakeConstSpan(text).subspan(0, *room / 2));
        pipe.writer.Append(absl::MakeConstSpan(text).subspan(*room / 2, *room - *room / 2));
        sent += *room;
      }
    }
    pipe.pair.client->Publish();
    if (random() % 4 != 0) continue;
    ASSERT_THAT(ReadAll(pipe.reader, random, &received, &kept), IsOk());
    while (kept.size() > random() % 8) kept.pop_front();
  }
  ASSERT_THAT(ReadAll(pipe.reader, random, &received, &kept), IsOk());
  ASSERT_EQ(received.size(), sent);
  for (size_t i = 0; i < sent; ++i) ASSERT_EQ(received[i], ByteAt(i)) << i;
  EXPECT_GT(loans, 1000);
  EXPECT_GT(no_room, 10);
  kept.clear();
  ASSERT_THAT(pipe.pair.client->pool()->TakeBack(), IsOk());
  EXPECT_EQ(pipe.pair.client_words().blocks.pages_in_use.load(), 0u);
}

TEST(RecordTest, AWordThatComesByteByByte) {
  Pipe pipe;
  std::minstd_rand random(2);
  std::string received;
  std::deque<BlockBorrower::Loan> kept;
  std::string bytes = Words({3}) + "abc" + Words({kLentBit | 2, 7}) + Words({1}) + "d";
  absl::StatusOr<BlockPool::Block> block = pipe.pair.client->pool()->Allocate(1);
  ASSERT_THAT(block, IsOk());
  memcpy(block->memory().data() + 7, "xy", 2);
  ASSERT_TRUE(pipe.pair.client->pool()->Lend(block->memory().subspan(7, 2)).has_value());
  for (const char byte : bytes) {
    pipe.WriteRaw(std::string(1, byte));
    ASSERT_THAT(ReadAll(pipe.reader, random, &received, &kept), IsOk());
    EXPECT_FALSE(pipe.pair.server->MaybeReadable()) << "a polling thread would not rest";
  }
  EXPECT_EQ(received, "abcxyd");
}

TEST(RecordTest, WholeOrNotAtAll) {
  for (const size_t free : {size_t{0}, size_t{3}, size_t{4}, size_t{5}, size_t{7}, size_t{8}}) {
    SCOPED_TRACE(free);
    Pipe full;
    full.writer.Begin(kRing - kRecordHeaderBytes - free);
    full.writer.Append(std::string(kRing - kRecordHeaderBytes - free, 'x'));
    EXPECT_THAT(full.writer.FreeSpace(100), IsOkAndHolds(free > 4 ? free - 4 : 0));
    EXPECT_THAT(full.writer.HasSpaceForLoan(), IsOkAndHolds(free >= 8));
  }
}

TEST(RecordTest, WhatCannotBeIsDataLossForGood) {
  constexpr uint32_t kAll = kPayload;
  for (const std::string& record :
       {Words({0}), Words({kLentBit, 0}), Words({kLentBit | 1, kAll}),
        Words({kLentBit | (kAll + 1), 0}), Words({kLentBit | 2, kAll - 1}),
        Words({kLentBit | 1, 0xffffffff}), Words({0xffffffff, 0}),
        Words({0xffffffff, 0xffffffff})}) {
    Pipe pipe;
    std::minstd_rand random(3);
    std::string received;
    std::deque<BlockBorrower::Loan> kept;
    pipe.WriteRaw(absl::StrCat(Words({4}), "good", record, Words({3}), "bad"));
    EXPECT_THAT(ReadAll(pipe.reader, random, &received, &kept),
                StatusIs(absl::StatusCode::kDataLoss));
    EXPECT_EQ(received, "good");
    EXPECT_THAT(pipe.reader.Next(), StatusIs(absl::StatusCode::kDataLoss));
  }
}

TEST(RecordTest, NoLoansWhereNoneWereAgreed) {
  LinkPair pair(kRing);
  EXPECT_EQ(pair.client->pool(), nullptr);
  ASSERT_THAT(pair.client->Write(Words({kLentBit | 1, 0})), IsOkAndHolds(8));
  pair.client->Publish();
  RecordReader reader(pair.server.get());
  EXPECT_THAT(reader.Next(), StatusIs(absl::StatusCode::kDataLoss));
}

}  // namespace
}  // namespace grpc_cxl::internal
