// SPDX-License-Identifier: Apache-2.0
#ifndef GRPC_CXL_EXAMPLES_HOTEL_RESERVATION_DATA_DATA_SET_H_
#define GRPC_CXL_EXAMPLES_HOTEL_RESERVATION_DATA_DATA_SET_H_

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "examples/hotel_reservation/data/sqlite.h"

// The demo's invented data, the same in every file: 80 hotels, "1" to "80", and 501 users.
namespace hotel_reservation {

inline constexpr int kHotels = 80;
inline constexpr int kUsers = 501;

struct Hotel {
  std::string id, name, phone_number, description;
  std::string street_number, street_name, city, state, country, postal_code;
  double latitude = 0, longitude = 0;  // degrees
  double rating = 0;                   // 0 to 10
  double price = 0;                    // of the cheapest night
  int rooms = 0;
};

struct RatePlanRow {
  std::string hotel_id, code, room_type, room_description;
  double nightly_rate = 0;
};

struct UserRow {
  std::string name, password_hash;  // by HashPassword()
};

// Name and password of user `number`, 0 to kUsers - 1: "guest_7" and ten times "7".
std::string UserName(int number);
std::string UserPassword(int number);

// SHA-256 of the password, in hex. Real users would need a salt and a slow function.
std::string HashPassword(absl::string_view password);

// Opens the file (see Database::Open) and fills it if it is empty. If several processes do so at
// the same time, one of them fills it.
absl::StatusOr<Database> OpenDataSet(const std::string& path);

absl::StatusOr<std::vector<Hotel>> ReadHotels(Database& database);
absl::StatusOr<std::vector<RatePlanRow>> ReadRatePlans(Database& database);
absl::StatusOr<std::vector<UserRow>> ReadUsers(Database& database);

}  // namespace hotel_reservation

#endif  // GRPC_CXL_EXAMPLES_HOTEL_RESERVATION_DATA_DATA_SET_H_
