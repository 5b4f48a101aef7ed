// SPDX-License-Identifier: Apache-2.0
#include "examples/hotel_reservation/data/geo_index.h"

#include <algorithm>
#include <cmath>
#include <functional>
#include <utility>

namespace hotel_reservation {
namespace {

constexpr double kEarthRadiusKm = 6371;

std::array<double, 3> Direction(double latitude, double longitude) {
  const double phi = latitude * M_PI / 180, lambda = longitude * M_PI / 180;
  return {std::cos(phi) * std::cos(lambda), std::cos(phi) * std::sin(lambda), std::sin(phi)};
}

double Product(const std::array<double, 3>& a, const std::array<double, 3>& b) {
  return a[0] * b[0] + a[1] * b[1] + a[2] * b[2];
}

}  // namespace

double DistanceKm(double latitude1, double longitude1, double latitude2, double longitude2) {
  const auto a = Direction(latitude1, longitude1), b = Direction(latitude2, longitude2);
  // Computed from the chord, because the arc cosine is inexact for short distances.
  const double chord = std::hypot(a[0] - b[0], a[1] - b[1], a[2] - b[2]);
  return 2 * kEarthRadiusKm * std::asin(std::min(1.0, chord / 2));
}

GeoIndex::GeoIndex(const std::vector<Hotel>& hotels) {
  for (const Hotel& hotel : hotels) {
    entries_.push_back({Direction(hotel.latitude, hotel.longitude), hotel.id});
  }
}

std::vector<std::string> GeoIndex::Nearby(double latitude, double longitude) const {
  static const double kNearEnough = std::cos(kRadiusKm / kEarthRadiusKm);
  const auto here = Direction(latitude, longitude);
  std::vector<std::pair<double, const Entry*>> found;
  for (const Entry& entry : entries_) {
    const double product = Product(here, entry.direction);
    if (product >= kNearEnough) found.emplace_back(product, &entry);
  }
  const size_t count = std::min(found.size(), kMaxHotels);
  std::partial_sort(found.begin(), found.begin() + count, found.end(), std::greater<>());
  std::vector<std::string> ids;
  for (size_t i = 0; i < count; ++i) ids.push_back(found[i].second->id);
  return ids;
}

}  // namespace hotel_reservation
