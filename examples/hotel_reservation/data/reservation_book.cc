// SPDX-License-Identifier: Apache-2.0
#include "examples/hotel_reservation/data/reservation_book.h"

#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "examples/hotel_reservation/data/data_set.h"

namespace hotel_reservation {

ReservationBook::Store::Store(Database opened)
    : database(std::move(opened)),
      booked_rooms(database.Prepare("SELECT rooms FROM booked WHERE hotel_id = ?1 AND night = ?2")),
      add_booked(database.Prepare("INSERT INTO booked VALUES (?1, ?2, ?3)"
                                  " ON CONFLICT DO UPDATE SET rooms = rooms + ?3")),
      add_reservation(database.Prepare(
          "INSERT INTO reservation (customer_name, hotel_id, first_night, last_night, rooms)"
          " VALUES (?1, ?2, ?3, ?4, ?5) RETURNING id")) {}

absl::StatusOr<std::unique_ptr<ReservationBook>> ReservationBook::Open(const std::string& path) {
  absl::StatusOr<Database> database = OpenDataSet(path);
  if (!database.ok()) return database.status();
  std::unique_ptr<ReservationBook> book(new ReservationBook(*std::move(database)));
  if (absl::Status read = book->ReadOccupancy(); !read.ok()) return read;
  return book;
}

absl::Status ReservationBook::ReadOccupancy() {
  absl::MutexLock write_lock(write_mu_);
  absl::MutexLock occupancy_lock(occupancy_mu_);
  const absl::StatusOr<std::vector<Hotel>> hotels = ReadHotels(store_.database);
  if (!hotels.ok()) return hotels.status();
  for (const Hotel& hotel : *hotels) occupancy_[hotel.id].capacity = hotel.rooms;
  Statement rows = store_.database.Prepare("SELECT hotel_id, night, rooms FROM booked");
  for (;;) {
    const absl::StatusOr<bool> row = rows.Step();
    if (!row.ok()) return row.status();
    if (!*row) return absl::OkStatus();
    occupancy_[rows.Text(0)].booked[rows.Int(1)] = rows.Int(2);
  }
}

absl::StatusOr<int64_t> ReservationBook::Reserve(const std::string& customer,
                                                 const std::string& hotel_id, const Nights& nights,
                                                 int rooms) {
  if (rooms < 1) return absl::InvalidArgumentError("Reserve at least one room.");
  if (customer.empty()) return absl::InvalidArgumentError("Name the customer.");
  int64_t capacity = 0;
  {
    absl::ReaderMutexLock lock(occupancy_mu_);
    const auto hotel = occupancy_.find(hotel_id);
    if (hotel == occupancy_.end()) {
      return absl::NotFoundError(absl::StrCat("There is no hotel '", hotel_id, "'."));
    }
    capacity = hotel->second.capacity;
  }

  absl::MutexLock lock(write_mu_);
  absl::StatusOr<Transaction> transaction = Transaction::Begin(store_.database);
  if (!transaction.ok()) return transaction.status();
  std::vector<int64_t> booked;  // of each night, this reservation included
  for (int64_t night = nights.first; night <= nights.last; ++night) {
    store_.booked_rooms.Bind(1, absl::string_view(hotel_id));
    store_.booked_rooms.Bind(2, night);
    const absl::StatusOr<bool> row = store_.booked_rooms.Step();
    if (!row.ok()) return row.status();
    booked.push_back((*row ? store_.booked_rooms.Int(0) : 0) + rooms);
    if (*row) {
      if (absl::Status end = store_.booked_rooms.Run(); !end.ok()) return end;
    }
    if (booked.back() > capacity) {
      return absl::ResourceExhaustedError(absl::StrCat(
          "Hotel ", hotel_id, " has ", capacity - (booked.back() - rooms), " of the ", rooms,
          " rooms free in one of these nights: choose other days or another hotel."));
    }
    store_.add_booked.Bind(1, absl::string_view(hotel_id));
    store_.add_booked.Bind(2, night);
    store_.add_booked.Bind(3, int64_t{rooms});
    if (absl::Status added = store_.add_booked.Run(); !added.ok()) return added;
  }
  store_.add_reservation.Bind(1, absl::string_view(customer));
  store_.add_reservation.Bind(2, absl::string_view(hotel_id));
  store_.add_reservation.Bind(3, nights.first);
  store_.add_reservation.Bind(4, nights.last);
  store_.add_reservation.Bind(5, int64_t{rooms});
  const absl::StatusOr<bool> row = store_.add_reservation.Step();
  if (!row.ok()) return row.status();
  const int64_t id = store_.add_reservation.Int(0);
  if (absl::Status end = store_.add_reservation.Run(); !end.ok()) return end;
  if (absl::Status committed = transaction->Commit(); !committed.ok()) return committed;

  absl::MutexLock occupancy_lock(occupancy_mu_);
  for (int64_t night = nights.first; night <= nights.last; ++night) {
    occupancy_[hotel_id].booked[night] = booked[night - nights.first];
  }
  return id;
}

bool ReservationBook::HasRooms(const std::string& hotel_id, const Nights& nights, int rooms) const {
  absl::ReaderMutexLock lock(occupancy_mu_);
  const auto hotel = occupancy_.find(hotel_id);
  if (hotel == occupancy_.end()) return false;
  for (int64_t night = nights.first; night <= nights.last; ++night) {
    const auto booked = hotel->second.booked.find(night);
    const int64_t taken = booked == hotel->second.booked.end() ? 0 : booked->second;
    if (taken + rooms > hotel->second.capacity) return false;
  }
  return true;
}

}  // namespace hotel_reservation
