// SPDX-License-Identifier: Apache-2.0
#ifndef GRPC_CXL_EXAMPLES_HOTEL_RESERVATION_LAUNCHER_FIGURES_H_
#define GRPC_CXL_EXAMPLES_HOTEL_RESERVATION_LAUNCHER_FIGURES_H_

#include <string>
#include <vector>

#include "examples/hotel_reservation/load_generator/result.pb.h"

namespace hotel_reservation {

// Most served is not told when its passes differ by more than this share, or when other programs
// took more of the machine.
inline constexpr double kNoiseLimit = 0.15;

inline constexpr char kMostServed[] = "most served/s";  // the name of a figure

// The median, the lowest and the highest of the values of passes. Of kPassesToTrim and more values
// the lowest and the highest do not count, because another program may have disturbed a pass.
inline constexpr int kPassesToTrim = 5;
Spread SpreadOf(std::vector<double> values);

// Whether the highest is within `share` of the lowest.
bool Agrees(const Spread& spread, double share);

// Whether to make a pass that will take `pass_s`: there are fewer than two, or fewer than three or
// they disagree about most served, and it would end before `limit_s`.
bool AnotherPass(const Report& report, double elapsed_s, double pass_s, double limit_s);

// Fills `figures`, `same_load` and `too_busy` from the passes.
void AddFigures(Report& report);

}  // namespace hotel_reservation

#endif  // GRPC_CXL_EXAMPLES_HOTEL_RESERVATION_LAUNCHER_FIGURES_H_
