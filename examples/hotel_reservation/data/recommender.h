// SPDX-License-Identifier: Apache-2.0
#ifndef GRPC_CXL_EXAMPLES_HOTEL_RESERVATION_DATA_RECOMMENDER_H_
#define GRPC_CXL_EXAMPLES_HOTEL_RESERVATION_DATA_RECOMMENDER_H_

#include <string>
#include <utility>
#include <vector>

#include "examples/hotel_reservation/data/data_set.h"

namespace hotel_reservation {

// Finds the best hotel by a measure, or all that are equally good. Immutable; thread-safe.
class Recommender {
 public:
  explicit Recommender(std::vector<Hotel> hotels) : hotels_(std::move(hotels)) {}

  std::vector<std::string> Nearest(double latitude, double longitude) const;
  std::vector<std::string> BestRated() const;
  std::vector<std::string> Cheapest() const;

 private:
  // Ids of the hotels with the smallest cost.
  template <typename Cost>
  std::vector<std::string> Best(Cost cost) const;

  const std::vector<Hotel> hotels_;
};

}  // namespace hotel_reservation

#endif  // GRPC_CXL_EXAMPLES_HOTEL_RESERVATION_DATA_RECOMMENDER_H_
