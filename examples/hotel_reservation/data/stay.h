// SPDX-License-Identifier: Apache-2.0
#ifndef GRPC_CXL_EXAMPLES_HOTEL_RESERVATION_DATA_STAY_H_
#define GRPC_CXL_EXAMPLES_HOTEL_RESERVATION_DATA_STAY_H_

#include <cstdint>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace hotel_reservation {

// The nights of a stay from `first` to `last`, both included, as days since 1970-01-01.
struct Nights {
  int64_t first = 0;
  int64_t last = 0;

  int64_t count() const { return last - first + 1; }
};

inline constexpr int kMaxNights = 30;

// The nights from the day `check_in` to the day `check_out`, each like "2015-04-09".
// INVALID_ARGUMENT for a bad day, or unless the stay has 1 to kMaxNights nights.
absl::StatusOr<Nights> ParseStay(absl::string_view check_in, absl::string_view check_out);

}  // namespace hotel_reservation

#endif  // GRPC_CXL_EXAMPLES_HOTEL_RESERVATION_DATA_STAY_H_
