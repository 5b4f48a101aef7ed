// SPDX-License-Identifier: Apache-2.0
#include "examples/hotel_reservation/data/stay.h"

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "absl/time/civil_time.h"

namespace hotel_reservation {

absl::StatusOr<Nights> ParseStay(absl::string_view check_in, absl::string_view check_out) {
  absl::CivilDay in, out;
  for (const auto& [text, day] : {std::pair{check_in, &in}, std::pair{check_out, &out}}) {
    // The length rules out years of five digits, which Abseil accepts.
    if (text.size() != 10 || !absl::ParseCivilTime(text, day)) {
      return absl::InvalidArgumentError(
          absl::StrCat("'", text, "' is not a day: write it as 2015-04-09."));
    }
  }
  const int64_t nights = out - in;
  if (nights < 1 || nights > kMaxNights) {
    return absl::InvalidArgumentError(absl::StrCat("A stay has 1 to ", kMaxNights, " nights; from ",
                                                   check_in, " to ", check_out, " there are ",
                                                   nights, "."));
  }
  const absl::CivilDay epoch(1970, 1, 1);
  return Nights{in - epoch, out - epoch - 1};
}

}  // namespace hotel_reservation
