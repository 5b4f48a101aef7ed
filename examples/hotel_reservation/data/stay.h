// SPDX-License-Identifier: Apache-2.0
#ifndef GRPC_CXL_EXAMPLES_HOTEL_RESERVATION_DATA_STAY_H_
#define GRPC_CXL_EXAMPLES_HOTEL_RESERVATION_DATA_STAY_H_

#include <cstdint>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace hotel_reservation {

// The nights of a stay, numbered as days since 1970-01-01; `last` is slept in as well.
struct Nights {
  int64_t first = 0;
  int64_t last = 0;

  int64_t count() const { return last - first + 1; }
};

inline constexpr int kMaxNights = 30;

// The nights from the day `check_in` to the day `check_out`, each as "2015-04-09".
// INVALID_ARGUMENT with a sentence when one is no such day, or the stay is not of 1 to
// kMaxNights nights.
absl::StatusOr<Nights> ParseStay(absl::string_view check_in, absl::string_view check_out);

}  // namespace hotel_reservation

#endif  // GRPC_CXL_EXAMPLES_HOTEL_RESERVATION_DATA_STAY_H_
