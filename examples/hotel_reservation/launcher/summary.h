// SPDX-License-Identifier: Apache-2.0
#ifndef GRPC_CXL_EXAMPLES_HOTEL_RESERVATION_LAUNCHER_SUMMARY_H_
#define GRPC_CXL_EXAMPLES_HOTEL_RESERVATION_LAUNCHER_SUMMARY_H_

#include <string>
#include <vector>

#include "examples/hotel_reservation/load_generator/result.pb.h"

namespace hotel_reservation {

// The rows that the terminal and the HTML report show, one for each transport. Ratios are
// those to tcp, or "-" when tcp was not measured.
std::vector<std::string> SummaryTitles();
std::vector<std::vector<std::string>> SummaryRows(const Report& report);

// One sentence for each transport on what the killed service meant for its callers.
std::vector<std::string> KillSentences(const Report& report);

// Machine and build, in one line.
std::string MachineLine(const Report& report);

// The rows as plain text, with what the columns mean.
std::string SummaryText(const Report& report);

}  // namespace hotel_reservation

#endif  // GRPC_CXL_EXAMPLES_HOTEL_RESERVATION_LAUNCHER_SUMMARY_H_
