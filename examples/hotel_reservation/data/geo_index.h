// SPDX-License-Identifier: Apache-2.0
#ifndef GRPC_CXL_EXAMPLES_HOTEL_RESERVATION_DATA_GEO_INDEX_H_
#define GRPC_CXL_EXAMPLES_HOTEL_RESERVATION_DATA_GEO_INDEX_H_

#include <array>
#include <string>
#include <vector>

#include "examples/hotel_reservation/data/data_set.h"

namespace hotel_reservation {

// Distance along the surface of the earth; arguments in degrees.
double DistanceKm(double latitude1, double longitude1, double latitude2, double longitude2);

// Finds hotels near a place. Immutable; thread-safe.
class GeoIndex {
 public:
  static constexpr double kRadiusKm = 10;
  static constexpr size_t kMaxHotels = 5;

  explicit GeoIndex(const std::vector<Hotel>& hotels);

  // Ids of the kMaxHotels nearest hotels within kRadiusKm, the nearest first.
  std::vector<std::string> Nearby(double latitude, double longitude) const;

 private:
  // A point of the unit sphere. The nearest has the largest scalar product, so a search needs no
  // trigonometry per hotel.
  struct Entry {
    std::array<double, 3> direction;
    std::string id;
  };
  std::vector<Entry> entries_;
};

}  // namespace hotel_reservation

#endif  // GRPC_CXL_EXAMPLES_HOTEL_RESERVATION_DATA_GEO_INDEX_H_
