// SPDX-License-Identifier: Apache-2.0
#ifndef GRPC_CXL_EXAMPLES_HOTEL_RESERVATION_DATA_RESERVATION_BOOK_H_
#define GRPC_CXL_EXAMPLES_HOTEL_RESERVATION_DATA_RESERVATION_BOOK_H_

#include <cstdint>
#include <memory>
#include <string>
#include <unordered_map>
#include <utility>

#include "absl/base/thread_annotations.h"
#include "absl/status/statusor.h"
#include "absl/synchronization/mutex.h"
#include "examples/hotel_reservation/data/sqlite.h"
#include "examples/hotel_reservation/data/stay.h"

namespace hotel_reservation {

// The reservations of rooms. Every reservation is a transaction on the data set's file that checks
// the capacity of every night, so two books on one file, even in two processes, never book a room
// twice. Looks up free rooms in memory.
//
// Thread-safe.
class ReservationBook {
 public:
  // Reads the reservations from the file (see OpenDataSet).
  static absl::StatusOr<std::unique_ptr<ReservationBook>> Open(const std::string& path);

  // Books the rooms for all nights or for none. Returns the reservation's id once it is on disk,
  // after some milliseconds. RESOURCE_EXHAUSTED when a night has too few rooms left; NOT_FOUND for
  // an unknown hotel; INVALID_ARGUMENT for rooms < 1 or no customer; UNAVAILABLE when the file
  // cannot be written.
  absl::StatusOr<int64_t> Reserve(const std::string& customer, const std::string& hotel_id,
                                  const Nights& nights, int rooms);

  // Whether the hotel exists and, as far as this process knows, has that many rooms in each night.
  // Never waits for the disk.
  bool HasRooms(const std::string& hotel_id, const Nights& nights, int rooms) const;

 private:
  struct Occupancy {
    int64_t capacity = 0;
    std::unordered_map<int64_t, int64_t> booked;  // night -> rooms
  };

  // Statements live as long as their database.
  struct Store {
    explicit Store(Database opened);
    Database database;
    Statement booked_rooms, add_booked, add_reservation;
  };

  explicit ReservationBook(Database database) : store_(std::move(database)) {}

  absl::Status ReadOccupancy();

  mutable absl::Mutex write_mu_;  // held through a transaction; before occupancy_mu_
  Store store_ ABSL_GUARDED_BY(write_mu_);

  mutable absl::Mutex occupancy_mu_;  // held only for look-ups and updates
  std::unordered_map<std::string, Occupancy> occupancy_ ABSL_GUARDED_BY(occupancy_mu_);
};

}  // namespace hotel_reservation

#endif  // GRPC_CXL_EXAMPLES_HOTEL_RESERVATION_DATA_RESERVATION_BOOK_H_
