// SPDX-License-Identifier: Apache-2.0
// Proves that no room is booked twice, also by concurrent callers, and that an acknowledged
// reservation survives SIGKILL.

#include "examples/hotel_reservation/data/reservation_book.h"

#include <unistd.h>

#include <atomic>
#include <map>
#include <set>
#include <thread>
#include <vector>

#include "absl/strings/str_cat.h"
#include "examples/hotel_reservation/data/data_set.h"
#include "gtest/gtest.h"
#include "test/support/forked_child.h"
#include "test/support/temporary_directory.h"

namespace hotel_reservation {
namespace {

constexpr char kHotel[] = "3";  // of 200 rooms
constexpr int kCapacity = 200;

class ReservationBookTest : public testing::Test {
 protected:
  std::unique_ptr<ReservationBook> Open() {
    auto book = ReservationBook::Open(path());
    EXPECT_TRUE(book.ok()) << book.status();
    return *std::move(book);
  }
  std::string path() const { return directory_.path() + "/hotels.db"; }

  // Rooms booked for each night of kHotel, added up from the single reservations.
  std::map<int64_t, int64_t> BookedRooms() {
    absl::StatusOr<Database> database = OpenDataSet(path());
    Statement rows = database->Prepare(absl::StrCat(
        "SELECT first_night, last_night, rooms FROM reservation WHERE hotel_id = '", kHotel, "'"));
    std::map<int64_t, int64_t> booked;
    while (*rows.Step()) {
      for (int64_t night = rows.Int(0); night <= rows.Int(1); ++night) booked[night] += rows.Int(2);
    }
    return booked;
  }

  const grpc_cxl::internal::TemporaryDirectory directory_;
};

TEST_F(ReservationBookTest, BooksUntilAHotelIsFull) {
  const auto book = Open();
  EXPECT_TRUE(book->HasRooms(kHotel, {10, 12}, kCapacity));
  EXPECT_FALSE(book->HasRooms(kHotel, {10, 12}, kCapacity + 1));
  ASSERT_TRUE(book->Reserve("Ada", kHotel, {10, 12}, kCapacity - 1).ok());
  ASSERT_TRUE(book->Reserve("Ben", kHotel, {12, 14}, 1).ok());
  EXPECT_FALSE(book->HasRooms(kHotel, {12, 12}, 1));
  EXPECT_TRUE(book->HasRooms(kHotel, {11, 11}, 1));
  // Night 12 is full: the whole stay is refused, and takes nothing of its other nights.
  EXPECT_EQ(book->Reserve("Cy", kHotel, {11, 13}, 1).status().code(),
            absl::StatusCode::kResourceExhausted);
  EXPECT_TRUE(book->HasRooms(kHotel, {11, 11}, 1));
  EXPECT_EQ(BookedRooms()[11], kCapacity - 1);
}

// Eight threads want the last rooms, half of them on another connection, as in another process.
TEST_F(ReservationBookTest, NeverOverbooksUnderConcurrentReservations) {
  const auto first = Open(), second = Open();
  ASSERT_TRUE(first->Reserve("early bird", kHotel, {20, 23}, kCapacity - 10).ok());
  std::atomic<int> booked = 0, refused = 0;
  std::vector<std::thread> threads;
  for (int t = 0; t < 8; ++t) {
    threads.emplace_back([&, t] {
      ReservationBook& book = t % 2 == 0 ? *first : *second;
      for (int i = 0; i < 5; ++i) {
        const auto id = book.Reserve(absl::StrCat("guest ", t), kHotel, {20, 23}, 1);
        if (id.ok()) {
          ++booked;
        } else {
          EXPECT_EQ(id.status().code(), absl::StatusCode::kResourceExhausted) << id.status();
          ++refused;
        }
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(booked, 10);
  EXPECT_EQ(refused, 30);
  for (int64_t night = 20; night <= 23; ++night) EXPECT_EQ(BookedRooms()[night], kCapacity);
}

// A process books as fast as it can, writes the id of every acknowledged reservation to a pipe,
// and is killed meanwhile.
TEST_F(ReservationBookTest, LosesNothingWhenKilled) {
  Open();  // makes the file
  int ends[2];
  ASSERT_EQ(pipe(ends), 0);
  grpc_cxl::internal::ForkedChild child([&]() -> std::string {
    auto book = ReservationBook::Open(path());
    for (int night = 0; book.ok(); ++night) {
      const auto id = (*book)->Reserve("Ada", kHotel, {night, night + 2}, 1);
      if (!id.ok() || write(ends[1], &*id, sizeof(*id)) != sizeof(*id)) break;
    }
    return "no more";
  });
  close(ends[1]);
  std::set<int64_t> acknowledged;
  for (int64_t id = 0; read(ends[0], &id, sizeof(id)) == sizeof(id);) {
    acknowledged.insert(id);
    if (acknowledged.size() == 20) child.Kill();
  }
  close(ends[0]);
  ASSERT_GE(acknowledged.size(), 20u) << child.Join();

  const auto book = Open();
  std::set<int64_t> found;
  {
    absl::StatusOr<Database> database = OpenDataSet(path());
    Statement rows = database->Prepare("SELECT id FROM reservation");
    while (*rows.Step()) found.insert(rows.Int(0));
  }
  for (const int64_t reservation : acknowledged) EXPECT_TRUE(found.contains(reservation));
  // The counts of booked rooms agree with the reservations, in the file and in memory.
  for (const auto& [night, rooms] : BookedRooms()) {
    EXPECT_TRUE(book->HasRooms(kHotel, {night, night}, static_cast<int>(kCapacity - rooms)));
    EXPECT_FALSE(book->HasRooms(kHotel, {night, night}, static_cast<int>(kCapacity - rooms + 1)));
  }
}

}  // namespace
}  // namespace hotel_reservation
