// SPDX-License-Identifier: Apache-2.0
#ifndef GRPC_CXL_EXAMPLES_HOTEL_RESERVATION_LAUNCHER_SUMMARY_H_
#define GRPC_CXL_EXAMPLES_HOTEL_RESERVATION_LAUNCHER_SUMMARY_H_

#include <string>
#include <vector>

#include "examples/hotel_reservation/load_generator/result.pb.h"

namespace hotel_reservation {

// The table of the terminal and the HTML report, a row per transport. Ratios are to tcp, or "-"
// without tcp.
std::vector<std::string> SummaryTitles();
std::vector<std::vector<std::string>> SummaryRows(const Report& report);

// The effect of the killed service on its callers, a sentence per transport.
std::vector<std::string> KillSentences(const Report& report);

// The machine and the build in one line.
std::string MachineLine(const Report& report);

// The table as plain text, with the meaning of its columns.
std::string SummaryText(const Report& report);

}  // namespace hotel_reservation

#endif  // GRPC_CXL_EXAMPLES_HOTEL_RESERVATION_LAUNCHER_SUMMARY_H_
