// SPDX-License-Identifier: Apache-2.0
#include "examples/hotel_reservation/data/invented_hotels.h"

#include <iterator>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"

namespace hotel_reservation {
namespace {

struct Spot {
  double latitude, longitude;
};

constexpr Spot kSanFrancisco[] = {{37.7867, -122.4112}, {37.7854, -122.4005}, {37.7854, -122.4071},
                                  {37.7936, -122.3930}, {37.7831, -122.4181}, {37.7863, -122.4015}};

constexpr const char* kKinds[] = {"Harbour", "Garden", "Station", "Hilltop", "Lakeside",
                                  "Orchard", "Market", "Redwood", "Canyon",  "Lantern"};
constexpr const char* kHouses[] = {"Inn", "Hotel", "House", "Lodge", "Rooms", "Court", "Rest"};
constexpr const char* kStreets[] = {"Cedar Street",  "Mission Road", "Bay Avenue",
                                    "Willow Street", "Summit Drive", "Ferry ProcessPair"};

// A number from 0 to below `limit` that looks random but is always the same.
int Scatter(int number, int limit) { return (number * 7919 + 104729) % limit; }

double Price(int number) { return 80 + Scatter(number, 97) * 2.5; }

}  // namespace

Hotel InventHotel(int number) {
  Hotel hotel;
  hotel.id = absl::StrCat(number);
  hotel.name = absl::StrCat(kKinds[number % std::size(kKinds)], " ",
                            kHouses[Scatter(number, std::size(kHouses))]);
  hotel.phone_number = absl::StrFormat("(415) 555-0%03d", 100 + number);
  hotel.description =
      absl::StrCat("A quiet house with ", 10 + Scatter(number, 30), " years of history, breakfast ",
                   "until eleven and a view that guests write home about.");
  hotel.street_number = absl::StrCat(1 + Scatter(number, 900));
  hotel.street_name = kStreets[number % std::size(kStreets)];
  hotel.state = "CA";
  hotel.country = "United States";
  if (number <= static_cast<int>(std::size(kSanFrancisco))) {
    hotel.city = "San Francisco";
    hotel.postal_code = absl::StrCat(94101 + number);
    hotel.latitude = kSanFrancisco[number - 1].latitude;
    hotel.longitude = kSanFrancisco[number - 1].longitude;
  } else {
    hotel.city = number < 40 ? "Richmond" : "Fairfield";
    hotel.postal_code = absl::StrCat(number < 40 ? 94801 : 94533);
    hotel.latitude = 37.7835 + number * 3 / 500.0;
    hotel.longitude = -122.41 + number * 4 / 500.0;
  }
  hotel.rating = 5 + Scatter(number, 51) / 10.0;
  hotel.price = Price(number);
  constexpr int kRooms[] = {200, 300, 250};
  hotel.rooms = kRooms[number % 3];
  return hotel;
}

std::vector<RatePlanRow> InventRatePlans(int number) {
  if (number > 3 && number % 3 != 0) return {};
  return {{absl::StrCat(number), "FLEX", number % 2 == 0 ? "QUEEN" : "KING",
           "A room with a large bed and a desk", Price(number)}};
}

}  // namespace hotel_reservation
