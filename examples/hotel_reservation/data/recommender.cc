// SPDX-License-Identifier: Apache-2.0
#include "examples/hotel_reservation/data/recommender.h"

#include <limits>

#include "examples/hotel_reservation/data/geo_index.h"

namespace hotel_reservation {

template <typename Cost>
std::vector<std::string> Recommender::Best(Cost cost) const {
  double best = std::numeric_limits<double>::infinity();
  std::vector<std::string> ids;
  for (const Hotel& hotel : hotels_) {
    const double value = cost(hotel);
    if (value > best) continue;
    if (value < best) ids.clear();
    best = value;
    ids.push_back(hotel.id);
  }
  return ids;
}

std::vector<std::string> Recommender::Nearest(double latitude, double longitude) const {
  return Best([&](const Hotel& hotel) {
    return DistanceKm(latitude, longitude, hotel.latitude, hotel.longitude);
  });
}

std::vector<std::string> Recommender::BestRated() const {
  return Best([](const Hotel& hotel) { return -hotel.rating; });
}

std::vector<std::string> Recommender::Cheapest() const {
  return Best([](const Hotel& hotel) { return hotel.price; });
}

}  // namespace hotel_reservation
